//! Promises of a rotation, and how a history breaks them.

use std::fmt;
use std::time::Duration;

/// The promises of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// At each moment, the issuer knows one of the stored secrets. A rotation in place revokes the stored one before
    /// it has the next, but when it ends, the issuer knows the stored one.
    Lost,
    /// The issuer never has more than two keys of the profile.
    Two,
    /// No token of a key that was deleted is served.
    Dead,
    /// No served token becomes invalid early because its key is deleted, unless a person asked to finish the rotation.
    Cut,
    /// No request fails that would succeed without the rotation.
    Unnoticed,
    /// When everything works, the rotation ends, and only one key and no other data is left.
    Ends,
    /// A rotation in place asks for a secret only while the store keeps a token, which had 15 min left when it was
    /// kept.
    Kept,
    /// A rotation in place ends only when its secret gets a token 60 s after the last call whose answer was lost.
    Settled,
    /// A rotation in place needs a person only if the stored secret is revoked, and if it cannot get another one. After
    /// that nothing is written.
    Person,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) rule: Rule,
    at: Duration,
    text: String,
}

// === impl Finding ===

impl Finding {
    pub(super) fn new(rule: Rule, at: Duration, text: String) -> Self {
        Self { rule, at, text }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.3} {:?}: {}",
            self.at.as_secs_f64(),
            self.rule,
            self.text
        )
    }
}
