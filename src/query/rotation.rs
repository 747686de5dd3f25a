//! The request to rotate a profile's key, and what is told meanwhile.

use crate::profile::ProfileName;
use crate::wire::rotation::StepReply;

/// A request to rotate a profile's key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RotateQuery {
    /// The profile.
    pub profile: Option<ProfileName>,
    /// Whether the issuer replaces the secret of the key, in place of a second key.
    pub in_place: bool,
    /// Whether the old key is deleted without a wait for proof that it is not used.
    pub finish: bool,
    /// Whether the rotation of another host is driven.
    pub take_over: bool,
    /// The profile whose token manages the keys.
    pub with: Option<ProfileName>,
    /// Whether the answer ends with the rotation, and not with the switch.
    pub wait: bool,
}

/// One event of a rotation.
#[derive(Debug)]
pub enum RotationNews {
    /// The next step.
    Step(StepReply),
    /// Heartbeat: nothing has happened for a while.
    Quiet,
}
