//! Cells of the table that cannot be filled, each with its reason.

use crate::behaviour::Behaviour;
use crate::tracer::Group;

/// Cells of an operation that cannot be filled.
pub(crate) struct Never {
    pub(crate) behaviours: &'static [Behaviour],
    pub(crate) groups: &'static [Group],
    pub(crate) why: &'static str,
}

/// What concerns a command that asks no control plane.
pub(crate) const NO_CONTROL_PLANE: Never = Never {
    behaviours: &[
        Behaviour::Swallows,
        Behaviour::Late,
        Behaviour::Twice,
        Behaviour::Fails,
    ],
    groups: &Group::ALL,
    why: "it asks no control plane, so none can misbehave",
};

/// What concerns a command that only asks the daemon.
pub(crate) const NO_FILE: Never = Never {
    behaviours: &Behaviour::ALL,
    groups: &[Group::Rename, Group::Sync],
    why: "it changes no file",
};

/// What concerns a command that works on files alone.
pub(crate) const NO_CONNECTION: Never = Never {
    behaviours: &Behaviour::ALL,
    groups: &[Group::Connect, Group::Send, Group::Receive],
    why: "it connects to nothing: the daemon goes on with what it has",
};
