//! How a key is rotated: a row for each way.

use super::form::{Form, OF_OVERLAP};
use super::phase::Phase;
use crate::behaviour::Behaviour;
use crate::tracer::Group;

/// A way of rotating a key.
pub(crate) struct Mode {
    /// For people.
    pub(crate) name: &'static str,
    /// What `jeton` is asked for.
    pub(crate) arguments: &'static [&'static str],
    /// How the control plane may behave meanwhile.
    pub(crate) forms: &'static [Form],
    /// Cells of its table that cannot be filled.
    pub(crate) never: &'static [Never],
}

/// Cells that cannot be filled.
pub(crate) struct Never {
    pub(crate) phases: &'static [Phase],
    pub(crate) behaviours: &'static [Behaviour],
    pub(crate) groups: &'static [Group],
    pub(crate) why: &'static str,
}

/// The ways. One that replaces the secret in place is a row here: its phases are another journal's, and its bars allow
/// `needs_human`.
pub(crate) const MODES: &[Mode] = &[Mode {
    name: "rotate",
    arguments: &["rotate", "research", "--json"],
    forms: OF_OVERLAP,
    never: OVERLAP_NEVER,
}];

const CALLS: &[Group] = &[Group::Connect, Group::Send, Group::Receive];

const OVERLAP_NEVER: &[Never] = &[
    Never {
        phases: &[Phase::Stored, Phase::Switched, Phase::Settled],
        behaviours: &Behaviour::ALL,
        groups: CALLS,
        why: "nothing is asked between the write of the record and that of the journal",
    },
    Never {
        phases: &[Phase::Settled],
        behaviours: &Behaviour::ALL,
        groups: &[Group::Write],
        why: "the journal is only removed",
    },
    Never {
        phases: &[Phase::Undoing],
        behaviours: &[Behaviour::Answers],
        groups: &Group::ALL,
        why: "a control plane that answers gives no reason to undo a rotation",
    },
    Never {
        phases: &[Phase::Undoing],
        behaviours: &[
            Behaviour::Swallows,
            Behaviour::Late,
            Behaviour::Twice,
            Behaviour::Fails,
        ],
        groups: &[Group::Write],
        why: "no key was stored, so the record is as it was",
    },
];
