//! Everything that a credential holds besides its secret.

use url::Url;

use super::{Ca, Credential};
use crate::instant::UnixTime;

/// A credential without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// The client ID.
    pub client_id: String,
    /// The origin that it was enrolled for, as `scheme://host[:port]`; `None` before enrolment.
    pub origin: Option<String>,
    /// The certificates that it was enrolled with; `None` before enrolment.
    pub ca: Option<Ca>,
    /// The time at which its secret was stored.
    pub enrolled_at: Option<UnixTime>,
    /// The time on the issuer's clock at enrolment.
    pub server_date: Option<UnixTime>,
}

impl Credential {
    /// Returns the origin of the token endpoint that it was enrolled for, as `scheme://host[:port]`.
    pub fn origin(&self) -> Option<String> {
        let endpoint = Url::parse(self.endpoint()?).ok()?;
        Some(endpoint.origin().ascii_serialization())
    }

    /// Returns the credential's data without the secret.
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
