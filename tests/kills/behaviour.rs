//! How the control plane behaves while a command runs.

use std::time::Duration;

use jetond::sandbox::Fault;

/// The behaviours, each a part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Behaviour {
    /// It answers as it should.
    Answers,
    /// It executes, and its answer is lost.
    Swallows,
    /// It executes or answers later.
    Late,
    /// It executes or answers twice.
    Twice,
    /// It executes, and answers with an error.
    Fails,
}

/// One form of a behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) behaviour: Behaviour,
    /// The sandbox's fault, `none` without one.
    pub(crate) fault: &'static str,
    /// Which requests it concerns.
    pub(crate) span: Span,
}

/// Which requests a behaviour concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    All,
    /// The first one.
    First,
    /// All but the first token: a command that gets no token writes nothing.
    Later,
}

/// How much later what is late is executed.
pub(crate) const LATE: Duration = Duration::from_millis(300);

use Behaviour::{Answers, Fails, Late, Swallows, Twice};

/// Those of the calls that change keys.
pub(crate) const OF_KEYS: &[Form] = &[
    form(Answers, "none", Span::All),
    form(Swallows, "swallow", Span::All),
    form(Swallows, "swallow", Span::First),
    form(Late, "late:0.3", Span::All),
    form(Late, "late:0.3", Span::First),
    form(Late, "late:0.3:status:504", Span::First),
    form(Twice, "twice:last", Span::All),
    form(Twice, "twice:first", Span::First),
    form(Fails, "executed:status:500", Span::All),
    form(Fails, "executed:status:500", Span::First),
    form(Fails, "secret:missing", Span::First),
];

/// Those of the calls that get a token, which change nothing at the server.
pub(crate) const OF_TOKENS: &[Form] = &[
    form(Answers, "none", Span::All),
    form(Swallows, "reset", Span::First),
    form(Swallows, "reset", Span::Later),
    form(Late, "slow:0.3", Span::All),
    form(Twice, "same-token", Span::All),
    form(Fails, "truncated", Span::First),
    form(Fails, "truncated", Span::Later),
];

/// For a command that asks no control plane.
pub(crate) const OF_NOTHING: &[Form] = &[form(Answers, "none", Span::All)];

const fn form(behaviour: Behaviour, fault: &'static str, span: Span) -> Form {
    Form {
        behaviour,
        fault,
        span,
    }
}

// === impl Behaviour ===

impl Behaviour {
    pub(crate) const ALL: [Self; 5] = [Answers, Swallows, Late, Twice, Fails];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Answers => "answers",
            Swallows => "answer lost",
            Late => "late",
            Twice => "twice",
            Fails => "error after it",
        }
    }
}

// === impl Form ===

impl Form {
    /// For people.
    pub(crate) fn label(&self) -> String {
        match self.span {
            Span::All => self.fault.to_owned(),
            Span::First => format!("{} once", self.fault),
            Span::Later => format!("{} later", self.fault),
        }
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        (self.fault != "none").then(|| Fault::parse(self.fault).unwrap())
    }

    pub(crate) fn is_late(&self) -> bool {
        self.behaviour == Late
    }
}
