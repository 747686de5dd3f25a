//! The token that proves a new key.

use crate::instant::{BootInstant, UnixTime};
use crate::token::Grant;

/// The token of the new key.
pub(super) struct Proven {
    pub(super) sent: BootInstant,
    pub(super) grant: Grant,
    pub(super) date: Option<UnixTime>,
}
