//! What a rotation begins with.

use super::refused::RotationRefused;
use crate::rotation::{InPlace, Overlap};

/// What a rotation begins with.
pub(super) enum Begun {
    /// This machine. A journal of another host or of an earlier boot has to be made ours first.
    Machine(Box<Overlap>),
    /// The machine of a rotation in place.
    InPlace(Box<InPlace>),
    /// There is nothing to go on with.
    Nothing,
    /// This is in the way.
    Refused(RotationRefused),
}
