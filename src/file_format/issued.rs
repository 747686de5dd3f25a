//! A token, with what a file says of it.

use crate::profile::ProfileName;
use crate::token::AccessToken;

/// A token that is written.
#[derive(Debug, Clone, Copy)]
pub struct Issued<'a> {
    /// Its profile.
    pub profile: &'a ProfileName,
    /// The token.
    pub token: &'a AccessToken,
    /// Until when it is served, in Unix seconds.
    pub expires_at: u64,
    /// Its number.
    pub generation: u64,
}
