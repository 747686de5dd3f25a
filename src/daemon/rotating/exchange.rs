//! What a rotation in place keeps between its steps.

use crate::applications::secret_of;
use crate::credential::{ClientSecret, RawAnswer};
use crate::instant::UnixTime;
use crate::token::AccessToken;

/// Data that a rotation in place keeps in memory between its steps. The second slot of the store has a copy.
#[derive(Debug, Default)]
pub(super) struct InPlaceData {
    /// The token with which the call is repeated if its answer is lost.
    pub(super) token: Option<AccessToken>,
    /// The last answer with a new secret.
    pub(super) answer: Option<RawAnswer>,
    /// The issuer's latest `Date`.
    pub(super) date: Option<UnixTime>,
    /// The latest error, for people.
    pub(super) trouble: Option<String>,
    /// Whether the issuer's last word was that the token's user may not do it, which no wait cures.
    pub(super) is_forbidden: bool,
}

// === impl Exchange ===

impl InPlaceData {
    /// Returns the secret in the last answer.
    pub(super) fn secret(&self) -> Option<ClientSecret> {
        secret_of(self.answer.as_ref()?)
    }
}
