//! The cells of the table that cannot be filled, each with its reason.

use crate::behaviour::Behaviour;
use crate::tracer::Group;

/// Cells of an operation that cannot be filled.
pub(crate) struct ImpossibleCells {
    pub(crate) behaviours: &'static [Behaviour],
    pub(crate) groups: &'static [Group],
    pub(crate) why: &'static str,
}

/// The cells of a command that calls no control plane.
pub(crate) const NO_CONTROL_PLANE: ImpossibleCells = ImpossibleCells {
    behaviours: &[
        Behaviour::Swallows,
        Behaviour::Late,
        Behaviour::Twice,
        Behaviour::Fails,
    ],
    groups: &Group::ALL,
    why: "it asks no control plane, so none can misbehave",
};

/// The cells of a command that only calls the daemon.
pub(crate) const NO_FILE: ImpossibleCells = ImpossibleCells {
    behaviours: &Behaviour::ALL,
    groups: &[Group::Rename, Group::Sync],
    why: "it changes no file",
};

/// The cells of a command that only works on files.
pub(crate) const NO_CONNECTION: ImpossibleCells = ImpossibleCells {
    behaviours: &Behaviour::ALL,
    groups: &[Group::Connect, Group::Send, Group::Receive],
    why: "it connects to nothing: the daemon goes on with what it has",
};
