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
    /// Whether the issuer revokes a key's tokens together with its secret.
    pub(crate) has_dying_tokens: bool,
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
    /// One regeneration of the key's secret.
    Regeneration,
    /// The token that proves a regenerated secret.
    Renewal,
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

/// The forms for a rotation in place. A second execution after the answer ("again") is missing: no call of that kind
/// has a lost answer, so no rule covers it.
pub(crate) const OF_IN_PLACE: &[Form] = &[
    form(Answers, "none", Span::Harmless),
    form(Answers, "none", Span::Harmless).with_dying_tokens(),
    form(Swallows, "swallow", Span::Regeneration),
    form(Swallows, "swallow", Span::Regeneration).with_dying_tokens(),
    form(Swallows, "reset", Span::Renewal),
    form(Late, "late:0.3", Span::Regeneration),
    form(Late, "late:0.3", Span::Regeneration).with_dying_tokens(),
    form(Late, "late:20", Span::Regeneration),
    form(Late, "late:0.3:status:504", Span::Regeneration),
    form(Late, "slow:0.5", Span::Renewal),
    form(Twice, "twice:last", Span::Regeneration),
    form(Twice, "twice:first", Span::Regeneration),
    form(Fails, "executed:status:500", Span::Regeneration),
    form(Fails, "executed:status:500", Span::Regeneration).with_dying_tokens(),
    form(Fails, "secret:missing", Span::Regeneration),
    form(Fails, "invalid-client", Span::Renewal),
];

const fn form(behaviour: Behaviour, fault: &'static str, span: Span) -> Form {
    Form {
        behaviour,
        fault,
        span,
        has_dying_tokens: false,
    }
}

// === impl Form ===

impl Form {
    /// Formats the form for people.
    pub(crate) fn label(&self) -> String {
        let tokens = match self.has_dying_tokens {
            true => ", tokens die",
            false => "",
        };
        let of_calls = match self.span {
            Span::All | Span::Harmless => self.fault.to_owned(),
            Span::Creations => format!("{} at each creation", self.fault),
            Span::Creation => format!("{} at the creation", self.fault),
            Span::Proof => format!("{} at the proof", self.fault),
            Span::Deletion => format!("{} at the deletion", self.fault),
            Span::Regeneration => format!("{} at the regeneration", self.fault),
            Span::Renewal => format!("{} at the proof", self.fault),
        };
        of_calls + tokens
    }

    const fn with_dying_tokens(self) -> Self {
        Self {
            has_dying_tokens: true,
            ..self
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
            Phase::Checking
            | Phase::Keeping
            | Phase::Noting
            | Phase::Regenerating
            | Phase::Creating => true,
            Phase::Undoing => self.is_undone(),
            _ => !self.is_undone() && !self.locks_out(),
        }
    }

    /// Returns whether a rotation in place loses the only answer with a new secret, and the token for another try.
    pub(crate) const fn locks_out(&self) -> bool {
        self.has_dying_tokens && matches!(self.span, Span::Regeneration)
    }

    /// Returns whether the rotation takes more than one wait of a minute even if it is not disturbed.
    pub(crate) fn is_slow(&self) -> bool {
        self.is_undone() || self.locks_out() || matches!(self.fault, "late:20" | "twice:first")
    }

    const fn is_undone(&self) -> bool {
        matches!(self.span, Span::All | Span::Creations)
    }

    /// Returns the phase in which the behaviour begins, and the number of affected calls.
    pub(crate) const fn begins(&self) -> (Phase, Option<u64>) {
        match self.span {
            Span::All | Span::Harmless => (Phase::Checking, None),
            Span::Creation | Span::Creations | Span::Regeneration => (Phase::Checking, Some(1)),
            Span::Renewal => (Phase::Answered, Some(1)),
            Span::Proof => (Phase::Stored, Some(1)),
            Span::Deletion => (Phase::Grace, Some(1)),
        }
    }
}
