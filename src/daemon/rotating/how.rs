//! The options of a rotation.

use crate::profile::ProfileName;

/// The way in which a secret is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A second key is created, and the first one is deleted after a grace period.
    Overlap,
    /// The issuer replaces the secret of the same key.
    InPlace,
}

/// The options of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HowToRotate {
    /// The way in which the secret is replaced.
    pub mode: Mode,
    /// Whether to delete the old key without waiting for proof that it is unused. Applies to an open rotation, too.
    pub finish: bool,
    /// Whether to take over a rotation that another host began.
    pub take_over: bool,
    /// The profile whose token manages the keys, if it is another profile.
    pub with: Option<ProfileName>,
}

// === impl HowToRotate ===

impl HowToRotate {
    /// A rotation with overlap and no other option.
    pub const OVERLAP: Self = Self {
        mode: Mode::Overlap,
        finish: false,
        take_over: false,
        with: None,
    };
}
