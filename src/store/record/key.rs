//! A key: the credential, and the issuer's names for it.

use crate::credential::Credential;
use crate::instant::UnixTime;

/// A credential, and its issuer's names for it.
#[derive(Debug)]
pub struct Key {
    /// The client ID and the client secret.
    pub credential: Credential,
    /// The issuer's ID of the key, which is not the client ID.
    pub key_id: Option<String>,
    /// The name under which the issuer lists the key.
    pub key_name: Option<String>,
    /// The time of its enrolment or creation, by our own clock.
    pub created_at: UnixTime,
    /// The same time by the issuer's clock, if an answer had it.
    pub server_date: Option<UnixTime>,
}
