//! A key: what proves us to an issuer, and what the issuer calls it.

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
    /// When it was enrolled or created, by our own clock.
    pub created_at: UnixTime,
    /// What the issuer's clock showed then, if it was seen.
    pub server_date: Option<UnixTime>,
}
