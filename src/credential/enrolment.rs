//! What a credential says besides its secret.

use url::Url;

use super::{Ca, Credential};
use crate::instant::UnixTime;

/// A credential without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// The client ID.
    pub client_id: String,
    /// The origin that it was enrolled for, as `scheme://host[:port]`; `None` before it is enrolled.
    pub origin: Option<String>,
    /// The certificates that it was enrolled with; `None` before it is enrolled.
    pub ca: Option<Ca>,
    /// When its secret was stored.
    pub enrolled_at: Option<UnixTime>,
    /// What the issuer's clock showed then.
    pub server_date: Option<UnixTime>,
}

impl Credential {
    /// The origin of the token endpoint that it was enrolled for, as `scheme://host[:port]`.
    pub fn origin(&self) -> Option<String> {
        let endpoint = Url::parse(self.endpoint()?).ok()?;
        Some(endpoint.origin().ascii_serialization())
    }

    /// The same without the secret.
    pub fn enrolment(&self) -> Enrolment {
        Enrolment {
            client_id: self.client_id.clone(),
            origin: self.origin(),
            ca: self.ca.clone(),
            enrolled_at: self.enrolled_at,
            server_date: self.server_date,
        }
    }
}
