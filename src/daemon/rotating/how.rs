//! How a rotation is wanted.

use crate::profile::ProfileName;

/// How the secret is exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A second key is created, and the first one is deleted late.
    Overlap,
    /// The issuer replaces the secret of the key.
    InPlace,
}

/// How a rotation is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HowToRotate {
    /// How the secret is exchanged.
    pub mode: Mode,
    /// Delete the old key without the wait for proof that it is not used. Also of a rotation that is open.
    pub finish: bool,
    /// Drive the rotation of another host.
    pub take_over: bool,
    /// The profile whose token manages the keys, where it is another one.
    pub with: Option<ProfileName>,
}

// === impl HowToRotate ===

impl HowToRotate {
    /// With a second key, and nothing else that is wanted.
    pub const OVERLAP: Self = Self {
        mode: Mode::Overlap,
        finish: false,
        take_over: false,
        with: None,
    };
}
