//! The behaviour of the control plane while a command runs.

use std::time::Duration;

use jetond::sandbox::Fault;

/// The behaviours, each a part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Behaviour {
    /// It answers correctly.
    Answers,
    /// It executes the request, but its answer is lost.
    Swallows,
    /// It executes or answers the request late.
    Late,
    /// It executes or answers the request twice.
    Twice,
    /// It executes the request, but answers with an error.
    Fails,
}

/// One form of a behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) behaviour: Behaviour,
    /// The sandbox's fault; `none` for no fault.
    pub(crate) fault: &'static str,
    /// The requests that the fault affects.
    pub(crate) span: Span,
}

/// A selection of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    All,
    /// The first one.
    First,
    /// All requests after the first token: a command that gets no token writes nothing.
    Later,
}

/// The delay of a request that is executed late.
pub(crate) const LATE: Duration = Duration::from_millis(300);

use Behaviour::{Answers, Fails, Late, Swallows, Twice};

/// The forms for calls that change keys.
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

/// The forms for calls that get a token. They change nothing at the server.
pub(crate) const OF_TOKENS: &[Form] = &[
    form(Answers, "none", Span::All),
    form(Swallows, "reset", Span::First),
    form(Swallows, "reset", Span::Later),
    form(Late, "slow:0.3", Span::All),
    form(Twice, "same-token", Span::All),
    form(Fails, "truncated", Span::First),
    form(Fails, "truncated", Span::Later),
];

/// The form for a command that calls no control plane.
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
    /// Formats the form for people.
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
