//! What a credential says besides its secret.

use super::{Ca, Credential};
use crate::instant::UnixTime;

/// A credential without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// The client ID.
    pub client_id: String,
    /// The certificates that it was enrolled with; `None` before it is enrolled.
    pub ca: Option<Ca>,
    /// When its secret was stored.
    pub enrolled_at: Option<UnixTime>,
}

impl Credential {
    /// The same without the secret.
    pub fn enrolment(&self) -> Enrolment {
        Enrolment {
            client_id: self.client_id.clone(),
            ca: self.ca.clone(),
            enrolled_at: self.enrolled_at,
        }
    }
}
