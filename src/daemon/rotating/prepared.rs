//! The start of a rotation: its state machine, or the reason why it does not start; and the outcome of its task.

use super::refused::RotationRefused;
use crate::rotation::{InPlace, Overlap};

/// The result of preparing a rotation.
pub(super) enum PreparedRotation {
    /// The state machine of a rotation with overlap. A journal of another host or boot must first be rewritten as
    /// ours.
    Machine(Box<Overlap>),
    /// The state machine of a rotation in place.
    InPlace(Box<InPlace>),
    /// No rotation is open, so there is nothing to resume.
    Nothing,
    /// The rotation cannot begin, for this reason.
    Refused(RotationRefused),
}

/// What the end of a rotation's task means for the rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is over, or does nothing more until a person acts.
    Over,
    /// The system refused its begin. A rotation that an earlier process left may be open.
    NotBegun,
    /// Another daemon on this machine drives it.
    DrivenElsewhere,
}
