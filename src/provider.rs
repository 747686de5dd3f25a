//! The client of an issuer's token endpoint: one request with a credential, one token or one reason why not.

use std::pin::Pin;

use crate::credential::Credential;
use crate::fault::Fault;
use crate::instant::UnixTime;
use crate::token::Grant;

/// An attempt that is under way. Dropping it abandons the attempt and closes its connection.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Granted, Fault>> + Send + 'a>>;

/// Something that can be asked for a token.
pub trait Provider: Send + Sync {
    /// Asks for a token once, inside the provider's own deadline.
    ///
    /// # Errors
    /// The [`Fault`] says what kind of failure it was and, for people, at which address; never anything secret.
    fn fetch<'a>(&'a self, credential: &'a Credential) -> Fetching<'a>;
}

/// A token, and what the issuer's clock said when it was granted.
#[derive(Debug)]
pub struct Granted {
    /// The token and its lifetime.
    pub grant: Grant,
    /// The answer's `Date` (RFC 9110 section 6.6.1).
    pub server_date: Option<UnixTime>,
}
