//! The modes of rotation: one row each.

use super::form::{Form, OF_OVERLAP};
use super::phase::Phase;
use crate::behaviour::Behaviour;
use crate::tracer::Group;

/// A mode of rotation.
pub(crate) struct Mode {
    /// The name for people.
    pub(crate) name: &'static str,
    /// The arguments for `jeton`.
    pub(crate) arguments: &'static [&'static str],
    /// The behaviours of the control plane during the rotation.
    pub(crate) forms: &'static [Form],
    /// The cells of its table that cannot be filled.
    pub(crate) never: &'static [Never],
}

/// Cells that cannot be filled.
pub(crate) struct Never {
    pub(crate) phases: &'static [Phase],
    pub(crate) behaviours: &'static [Behaviour],
    pub(crate) groups: &'static [Group],
    pub(crate) why: &'static str,
}

/// The modes. A rotation in place would be a row here: its phases come from another journal, and its bars allow
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
