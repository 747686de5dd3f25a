//! The token that proves a new key.

use crate::instant::{BootInstant, UnixTime};
use crate::token::Grant;

/// The first token of the new key, kept until the switch.
pub(super) struct ProvenToken {
    pub(super) sent: BootInstant,
    pub(super) grant: Grant,
    pub(super) date: Option<UnixTime>,
}
