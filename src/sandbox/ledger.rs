//! The tokens that were issued, and which of them are valid.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::moment::Moment;

/// How many tokens, and how many requests, are remembered. Past it the oldest are forgotten, and such a token is no
/// longer valid: a sandbox left running for a month must not fill the memory.
pub(super) const REMEMBERED: usize = 16_384;

/// The tokens of one issuer, all of the same life.
pub(super) struct Ledger {
    life: Duration,
    tokens: HashMap<Arc<str>, Issued>,
    /// The tokens in the order of issue.
    order: VecDeque<Arc<str>>,
}

struct Issued {
    born: Instant,
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

    /// Enters a token issued at `now`.
    pub(super) fn enter(&mut self, token: &str, now: Moment) {
        let token: Arc<str> = token.into();
        let issued = Issued {
            born: now.mono,
            revoked: false,
        };
        self.tokens.insert(Arc::clone(&token), issued);
        if let Some(forgotten) = remember(&mut self.order, token) {
            self.tokens.remove(&forgotten);
        }
    }

    /// Whether the token is one of these, not revoked, and within its life.
    pub(super) fn is_valid(&self, token: &str, now: Moment) -> bool {
        self.tokens
            .get(token)
            .is_some_and(|issued| !issued.revoked && now.is_within(issued.born, self.life))
    }

    pub(super) fn revoke_newest(&mut self) {
        let newest = self.order.back();
        if let Some(issued) = newest.and_then(|token| self.tokens.get_mut(token)) {
            issued.revoked = true;
        }
    }

    pub(super) fn revoke_all(&mut self) {
        for issued in self.tokens.values_mut() {
            issued.revoked = true;
        }
    }

    /// The tokens in the order of issue.
    pub(super) fn issued(&self) -> impl Iterator<Item = &str> {
        self.order.iter().map(AsRef::as_ref)
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // tokens are not printed, not even ours: a leak check could not tell who printed them
        f.debug_struct("Ledger")
            .field("issued", &self.order.len())
            .finish_non_exhaustive()
    }
}

/// Adds one to what is remembered, and gives back the one that is forgotten for it.
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
        ledger.enter("a", now);
        ledger.enter("b", at(LIFE / 2));
        assert!(ledger.is_valid("a", now) && !ledger.is_valid("c", now));
        assert!(!ledger.is_valid("a", at(LIFE)) && ledger.is_valid("b", at(LIFE)));
        ledger.revoke_newest();
        assert!(ledger.is_valid("a", now) && !ledger.is_valid("b", at(LIFE / 2)));
        ledger.revoke_all();
        assert!(!ledger.is_valid("a", now));
        assert_eq!(ledger.issued().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn the_oldest_are_forgotten_and_with_them_their_validity() {
        let now = Moment::now();
        let mut ledger = Ledger::new(LIFE);
        for n in 0..=REMEMBERED {
            ledger.enter(&n.to_string(), now);
        }
        assert!(!ledger.is_valid("0", now) && ledger.is_valid("1", now));
        assert_eq!(
            (ledger.issued().count(), ledger.tokens.len()),
            (REMEMBERED, REMEMBERED)
        );
    }

    #[test]
    fn tokens_are_not_printed() {
        let mut ledger = Ledger::new(LIFE);
        ledger.enter("canary", Moment::now());
        assert!(!format!("{ledger:?}").contains("canary"));
    }
}
