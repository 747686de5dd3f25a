//! The issued tokens, and which of them are valid.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::moment::Moment;

/// The maximum number of remembered tokens, and of remembered requests. Beyond it the oldest are forgotten to save
/// memory; a forgotten token is no longer valid.
pub(super) const REMEMBERED: usize = 16_384;

/// The tokens of one issuer, all with the same lifetime.
pub(super) struct Ledger {
    life: Duration,
    tokens: HashMap<Arc<str>, Issued>,
    /// The tokens in the order of issue.
    order: VecDeque<Arc<str>>,
}

struct Issued {
    born: Instant,
    /// The ID of the key that got the token.
    holder: Box<str>,
    revoked: bool,
}

impl Ledger {
    pub(super) fn new(life: Duration) -> Self {
        Self {
            life,
            tokens: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    pub(super) const fn life(&self) -> Duration {
        self.life
    }

    /// Adds a token that was issued at `now` for the key `holder`.
    pub(super) fn enter(&mut self, token: &str, holder: &str, now: Moment) {
        let token: Arc<str> = token.into();
        let issued = Issued {
            born: now.mono,
            holder: holder.into(),
            revoked: false,
        };
        self.tokens.insert(Arc::clone(&token), issued);
        if let Some(forgotten) = remember(&mut self.order, token) {
            self.tokens.remove(&forgotten);
        }
    }

    /// Returns the key that got the token, if the token is known, not revoked and not expired.
    pub(super) fn holder(&self, token: &str, now: Moment) -> Option<&str> {
        self.tokens
            .get(token)
            .filter(|issued| !issued.revoked && now.is_within(issued.born, self.life))
            .map(|issued| &*issued.holder)
    }

    /// Returns the newest valid token of the key `holder`, and its remaining validity.
    pub(super) fn newest_of(&self, holder: &str, now: Moment) -> Option<(&str, Duration)> {
        let token = self
            .order
            .iter()
            .rev()
            .find(|token| self.holder(token, now) == Some(holder))?;
        let age = now
            .mono
            .saturating_duration_since(self.tokens.get(token)?.born);
        Some((token, self.life.saturating_sub(age)))
    }

    pub(super) fn revoke_newest(&mut self) {
        let newest = self.order.back();
        if let Some(issued) = newest.and_then(|token| self.tokens.get_mut(token)) {
            issued.revoked = true;
        }
    }

    pub(super) fn revoke_of(&mut self, holder: &str) {
        for issued in self.tokens.values_mut() {
            issued.revoked |= &*issued.holder == holder;
        }
    }

    pub(super) fn revoke_all(&mut self) {
        for issued in self.tokens.values_mut() {
            issued.revoked = true;
        }
    }

    /// Returns the tokens in the order of issue.
    pub(super) fn issued(&self) -> Vec<String> {
        self.order.iter().map(ToString::to_string).collect()
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // prints no token, not even the sandbox's own: a leak check could not tell who printed it
        f.debug_struct("Ledger")
            .field("issued", &self.order.len())
            .finish_non_exhaustive()
    }
}

/// Adds an item to a bounded memory; returns the item that is forgotten instead, if any.
pub(super) fn remember<T>(memory: &mut VecDeque<T>, one: T) -> Option<T> {
    memory.push_back(one);
    if memory.len() > REMEMBERED {
        memory.pop_front()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(10);

    #[test]
    fn a_token_is_valid_from_its_issue_to_its_end_or_its_revocation() {
        let now = Moment::now();
        let at = |after| Moment {
            mono: now.mono + after,
            ..now
        };
        let mut ledger = Ledger::new(LIFE);
        ledger.enter("a", "one", now);
        ledger.enter("b", "two", at(LIFE / 2));
        assert_eq!(ledger.holder("a", now), Some("one"));
        assert_eq!(ledger.holder("c", now), None);
        assert_eq!(ledger.holder("a", at(LIFE)), None);
        assert_eq!(ledger.holder("b", at(LIFE)), Some("two"));
        assert_eq!(ledger.newest_of("two", at(LIFE)), Some(("b", LIFE / 2)));
        assert_eq!(ledger.newest_of("one", at(LIFE)), None);
        ledger.revoke_newest();
        assert_eq!(ledger.holder("a", now), Some("one"));
        assert_eq!(ledger.holder("b", at(LIFE / 2)), None);
        ledger.enter("c", "two", now);
        ledger.revoke_of("one");
        assert_eq!(ledger.holder("a", now), None);
        assert_eq!(ledger.holder("c", now), Some("two"));
        ledger.revoke_all();
        assert_eq!(ledger.holder("c", now), None);
        assert_eq!(ledger.issued(), ["a", "b", "c"]);
    }

    #[test]
    fn the_oldest_tokens_are_forgotten_and_become_invalid() {
        let now = Moment::now();
        let mut ledger = Ledger::new(LIFE);
        for n in 0..=REMEMBERED {
            ledger.enter(&n.to_string(), "key", now);
        }
        assert_eq!(ledger.holder("0", now), None);
        assert_eq!(ledger.holder("1", now), Some("key"));
        assert_eq!(
            (ledger.issued().len(), ledger.tokens.len()),
            (REMEMBERED, REMEMBERED)
        );
    }

    #[test]
    fn debug_output_hides_tokens() {
        let mut ledger = Ledger::new(LIFE);
        ledger.enter("canary", "key", Moment::now());
        assert!(!format!("{ledger:?}").contains("canary"));
    }
}
