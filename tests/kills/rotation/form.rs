//! The behaviour of the control plane while a key is rotated.

use jetond::sandbox::Fault;

use super::phase::Phase;
use crate::behaviour::Behaviour::{self, Answers, Fails, Late, Swallows, Twice};

/// One form of a behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) behaviour: Behaviour,
    /// The sandbox's fault; `none` for no fault.
    pub(crate) fault: &'static str,
    /// The calls that the fault affects.
    pub(crate) span: Span,
}

/// A selection of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// All calls. No key is created whose secret is known, so the rotation is undone.
    All,
    /// Each creation of a key, with the same outcome. Other changes of keys work.
    Creations,
    /// All calls, but a key is created nevertheless.
    Harmless,
    /// One creation of the key.
    Creation,
    /// The token that proves the new key.
    Proof,
    /// The deletion of the old key.
    Deletion,
}

/// The forms for a rotation with overlap.
pub(crate) const OF_OVERLAP: &[Form] = &[
    form(Answers, "none", Span::Harmless),
    form(Swallows, "swallow", Span::Creations),
    form(Swallows, "swallow", Span::Creation),
    form(Swallows, "reset", Span::Proof),
    form(Swallows, "swallow", Span::Deletion),
    form(Late, "late:0.3", Span::Creations),
    form(Late, "late:0.3", Span::Creation),
    form(Late, "late:20", Span::Creation),
    form(Late, "late:0.3:status:504", Span::Creation),
    form(Late, "slow:0.5", Span::Proof),
    form(Late, "late:0.3", Span::Deletion),
    form(Twice, "twice:last", Span::All),
    form(Twice, "twice:first", Span::Creation),
    form(Twice, "again:2", Span::Harmless),
    form(Twice, "twice:last", Span::Deletion),
    form(Fails, "executed:status:500", Span::All),
    form(Fails, "executed:status:500", Span::Creation),
    form(Fails, "secret:missing", Span::Creation),
    form(Fails, "invalid-client", Span::Proof),
    form(Fails, "executed:status:500", Span::Deletion),
];

const fn form(behaviour: Behaviour, fault: &'static str, span: Span) -> Form {
    Form {
        behaviour,
        fault,
        span,
    }
}

// === impl Form ===

impl Form {
    /// Formats the form for people.
    pub(crate) fn label(&self) -> String {
        match self.span {
            Span::All | Span::Harmless => self.fault.to_owned(),
            Span::Creations => format!("{} at each creation", self.fault),
            Span::Creation => format!("{} at the creation", self.fault),
            Span::Proof => format!("{} at the proof", self.fault),
            Span::Deletion => format!("{} at the deletion", self.fault),
        }
    }

    /// Returns the form with the same span and without a fault.
    pub(crate) const fn without_fault(self) -> Self {
        Self {
            span: Span::Deletion,
            ..self
        }
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        (self.fault != "none").then(|| Fault::parse(self.fault).unwrap())
    }

    /// Returns whether the rotation can reach this phase with this behaviour.
    pub(crate) fn has(&self, phase: Phase) -> bool {
        match phase {
            Phase::Checking | Phase::Creating => true,
            Phase::Undoing => self.is_undone(),
            _ => !self.is_undone(),
        }
    }

    const fn is_undone(&self) -> bool {
        matches!(self.span, Span::All | Span::Creations)
    }

    /// Returns the phase in which the behaviour begins, and the number of affected calls.
    pub(crate) const fn begins(&self) -> (Phase, Option<u64>) {
        match self.span {
            Span::All | Span::Harmless => (Phase::Checking, None),
            Span::Creation | Span::Creations => (Phase::Checking, Some(1)),
            Span::Proof => (Phase::Stored, Some(1)),
            Span::Deletion => (Phase::Grace, Some(1)),
        }
    }
}
