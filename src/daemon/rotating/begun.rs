//! The start of a rotation: its state machine, or why there is none.

use super::refused::RotationRefused;
use crate::rotation::{InPlace, Overlap};

/// The result of preparing a rotation.
pub(super) enum Begun {
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
