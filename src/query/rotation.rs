//! Request to rotate a profile's key, and the events of the rotation.

use crate::profile::ProfileName;
use crate::wire::rotation::StepReply;

/// A request to rotate a profile's key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RotateQuery {
    /// The profile.
    pub profile: Option<ProfileName>,
    /// Whether the issuer replaces the secret of the key, instead of creating a second key.
    pub in_place: bool,
    /// Whether the old key is deleted without waiting for proof that it is no longer used.
    pub finish: bool,
    /// Whether to take over a rotation that another host started.
    pub take_over: bool,
    /// The profile whose token manages the keys.
    pub with: Option<ProfileName>,
    /// Whether the answer ends with the whole rotation, rather than with the switch to the new key.
    pub wait: bool,
}

/// An event of a rotation.
#[derive(Debug)]
pub enum RotationEvent {
    /// The next step.
    Step(StepReply),
    /// Heartbeat: there was no event for a while.
    Quiet,
}
