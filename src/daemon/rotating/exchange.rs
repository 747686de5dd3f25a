//! What a rotation in place holds between its steps.

use crate::applications::secret_of;
use crate::credential::{ClientSecret, RawAnswer};
use crate::instant::UnixTime;
use crate::token::AccessToken;

/// What a rotation in place holds between its steps. The second slot of the store has the same.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// The token that a lost answer is asked for again with.
    pub(super) token: Option<AccessToken>,
    /// The last answer with a new secret.
    pub(super) answer: Option<RawAnswer>,
    /// What the issuer's clock showed last.
    pub(super) date: Option<UnixTime>,
    /// What went wrong last, for people.
    pub(super) trouble: Option<String>,
    /// Whether the issuer's last word was that the token's user may not do it, which no wait cures.
    pub(super) is_forbidden: bool,
}

// === impl Exchange ===

impl Exchange {
    /// The secret in the last answer.
    pub(super) fn secret(&self) -> Option<ClientSecret> {
        secret_of(self.answer.as_ref()?)
    }
}
