//! Rotates the keys of profiles: one task for each rotation that is open, which does what the rotation's machine asks.
//!
//! A caller that leaves stops nothing: the task belongs to the daemon. A rotation that was open when an earlier process
//! ended goes on at [`Rotations::resume_all`].
//!
//! | File | What it does |
//! |---|---|
//! | `step` | what a caller is told, and what a rotation that is open shows |
//! | `refused` | why no rotation begins |

mod refused;
mod step;

use crate::profile::ProfileName;

pub use refused::RotationRefused;
pub use step::{RotationEnd, RotationShown, RotationStep, Steps};

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

/// The rotations of this daemon.
#[derive(Default)]
pub struct Rotations {}

// === impl Rotations ===

impl Rotations {
    /// Begins a rotation of this profile's key, or joins the one that is open. The steps are those from its beginning on.
    ///
    /// # Errors
    /// [`RotationRefused`] if none can begin.
    pub fn start(&self, profile: &ProfileName, how: HowToRotate) -> Result<Steps, RotationRefused> {
        let _ = (profile, how);
        Err(RotationRefused::NotSupported)
    }

    /// The rotation of this profile's key that is open.
    pub fn shown(&self, profile: &ProfileName) -> Option<RotationShown> {
        let _ = profile;
        None
    }

    /// Goes on with the rotations that an earlier process left open.
    pub fn resume_all(&self) {}
}
