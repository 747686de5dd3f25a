//! A token with the facts that a file states about it.

use crate::profile::ProfileName;
use crate::token::AccessToken;

/// A token to write.
#[derive(Debug, Clone, Copy)]
pub struct TokenToWrite<'a> {
    /// Its profile.
    pub profile: &'a ProfileName,
    /// The token.
    pub token: &'a AccessToken,
    /// Its expiry as served, in Unix seconds.
    pub expires_at: u64,
    /// Its generation.
    pub generation: u64,
}
