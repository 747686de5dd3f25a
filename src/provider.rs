//! The client of an issuer's token endpoint: one request with a credential, one token or one reason why not.
//!
//! A provider decides nothing about *when*: it makes one attempt, inside a deadline of its own, and keeps no token.
//! What can be wrong with an answer is judged by pure functions (`answer` and what it uses); what can go wrong on the
//! way is classified in `classify`; `http` is the only file that touches the network.

use std::pin::Pin;

use crate::credential::Credential;
use crate::fault::Fault;
use crate::instant::UnixTime;
use crate::token::Grant;

pub mod address;
pub mod answer;
mod body;
pub mod configured;
pub mod http;
mod lifetime;
mod members;
pub mod oauth2;
mod quote;
pub mod runai;

#[cfg(test)]
mod fake;

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
    /// The answer's `Date` (RFC 9110 section 6.6.1), to whole seconds: how far the two clocks are apart is for the
    /// caller to say, since nothing here reads a clock.
    pub server_date: Option<UnixTime>,
}
