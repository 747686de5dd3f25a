//! Decides which attempt may call its issuer next, and how many may run at once. It has no clock and no task: the
//! bulkhead executes its decisions.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::instant::BootInstant;

/// Initial limit of attempts at one issuer.
pub(super) const AT_ONE: usize = 8;

/// Largest limit of attempts at one issuer, however healthy it is.
pub(super) const MOST_AT_ONE: usize = 32;

/// Limit of all attempts while no issuer's limit has grown. Several issuers may hang before attempts at others have to
/// wait. Then the wait is no longer than the time limit of one attempt.
pub(super) const IN_ALL: usize = 32;

/// Largest limit of all attempts.
pub(super) const MOST_IN_ALL: usize = 128;

/// Number of places that issuers with a grown limit cannot take.
const KEPT_FREE: usize = 8;

/// Decides the order of the attempts at one issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rank {
    /// Whether a caller waits for a token.
    pub(super) wanted: bool,
    /// Expiry of the held token.
    pub(super) held_until: Option<BootInstant>,
}

/// The number of an attempt. Later attempts have larger numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(u64);

/// A granted place for one call, with the number of resets of the issuer's limit so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CallSlot {
    pub(super) ticket: Ticket,
    pub(super) site: Arc<str>,
    resets: u64,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It brought a token, and was not slow.
    Healthy,
    /// It failed.
    Failed,
    /// It was dropped, which says nothing about the issuer.
    Dropped,
}

/// The attempts that wait for a place, and the limits.
#[derive(Debug)]
pub(super) struct Queue {
    /// The initial and the largest limits.
    at_one: usize,
    most_at_one: usize,
    in_all: usize,
    most_in_all: usize,
    kept_free: usize,
    last: Ticket,
    issuers: BTreeMap<Arc<str>, Issuer>,
}

#[derive(Debug)]
struct Issuer {
    limit: usize,
    running: usize,
    resets: u64,
    waiting: BTreeMap<Ticket, Rank>,
}

// === impl Rank ===

impl Rank {
    /// Returns the sort key at `now`, smallest first: attempts without a valid token for which a caller waits, other
    /// attempts without a valid token, then the rest by expiry.
    fn order(self, now: BootInstant) -> (u8, Option<BootInstant>) {
        match self.held_until.filter(|until| *until > now) {
            Some(until) => (2, Some(until)),
            None if self.wanted => (0, None),
            None => (1, None),
        }
    }
}

// === impl Queue ===

impl Queue {
    /// Creates a queue that never allows more than `most` attempts at once.
    pub(super) fn new(most: usize) -> Self {
        let most_in_all = most.clamp(1, MOST_IN_ALL);
        let in_all = most_in_all.min(IN_ALL);
        // One issuer never gets all places: if it hung, attempts at every other issuer would have to wait.
        let at_one = AT_ONE.min(in_all.div_ceil(2));
        let kept_free = KEPT_FREE.min(most_in_all - at_one);
        Self {
            at_one,
            most_at_one: MOST_AT_ONE.min(most_in_all - kept_free),
            in_all,
            most_in_all,
            kept_free,
            last: Ticket(0),
            issuers: BTreeMap::new(),
        }
    }

    /// Queues an attempt at this issuer.
    pub(super) fn join(&mut self, site: &Arc<str>, rank: Rank) -> Ticket {
        self.last.0 += 1;
        let issuer = self.issuers.entry(Arc::clone(site)).or_insert(Issuer {
            limit: self.at_one,
            running: 0,
            resets: 0,
            waiting: BTreeMap::new(),
        });
        issuer.waiting.insert(self.last, rank);
        self.last
    }

    /// Changes the rank of a waiting attempt.
    pub(super) fn rank(&mut self, site: &str, ticket: Ticket, rank: Rank) {
        let issuer = self.issuers.get_mut(site);
        if let Some(old) = issuer.and_then(|issuer| issuer.waiting.get_mut(&ticket)) {
            *old = rank;
        }
    }

    /// Removes an attempt that no longer waits.
    pub(super) fn leave(&mut self, site: &str, ticket: Ticket) {
        if let Some(issuer) = self.issuers.get_mut(site) {
            issuer.waiting.remove(&ticket);
        }
        self.forget(site);
    }

    /// Grants the next place, if one is free. The issuer with the fewest running attempts comes first, so that no
    /// issuer waits for another one's queue. Attempts at the same issuer are ordered by rank, then by arrival.
    pub(super) fn next(&mut self, now: BootInstant) -> Option<CallSlot> {
        let (in_all, running) = (self.limit_in_all(), self.running());
        if running >= in_all {
            return None;
        }
        let of_grown = self.issuers.values().filter(|it| it.limit > self.at_one);
        let of_grown: usize = of_grown.map(|it| it.running).sum();
        let full_for_grown = of_grown >= in_all.saturating_sub(self.kept_free);
        let may_run = |issuer: &Issuer| {
            issuer.running < issuer.limit && !(issuer.limit > self.at_one && full_for_grown)
        };
        let first = |issuer: &Issuer| {
            let waiting = issuer.waiting.iter();
            let order = |(ticket, rank): (&Ticket, &Rank)| (rank.order(now), *ticket);
            waiting.map(order).min()
        };
        let eligible = self.issuers.iter().filter(|(_, issuer)| may_run(issuer));
        let eligible = eligible.filter_map(|(site, issuer)| {
            let (order, ticket) = first(issuer)?;
            Some((issuer.running, order, ticket, Arc::clone(site)))
        });
        let (_, _, ticket, site) = eligible.min()?;
        let issuer = self.issuers.get_mut(&site)?;
        issuer.waiting.remove(&ticket);
        issuer.running += 1;
        let resets = issuer.resets;
        Some(CallSlot {
            ticket,
            site,
            resets,
        })
    }

    /// Resets the limit of the issuer, because a call takes longer than a healthy issuer's.
    pub(super) fn slow(&mut self, place: &CallSlot) {
        let at_one = self.at_one;
        if let Some(issuer) = self.issuers.get_mut(&place.site) {
            issuer.limit = at_one;
            issuer.resets += 1;
        }
    }

    /// Frees the place of a call that has ended. A healthy answer raises the issuer's limit if attempts wait there. An
    /// answer to a call from before the last reset does not, because it says nothing about the issuer since then.
    pub(super) fn end(&mut self, place: &CallSlot, outcome: Outcome) {
        if outcome == Outcome::Failed {
            self.slow(place);
        }
        let most = self.most_at_one;
        if let Some(issuer) = self.issuers.get_mut(&place.site) {
            issuer.running = issuer.running.saturating_sub(1);
            let is_recent = issuer.resets == place.resets;
            if outcome == Outcome::Healthy && is_recent && !issuer.waiting.is_empty() {
                issuer.limit = most.min(issuer.limit + 1).max(issuer.limit);
            }
        }
        self.forget(&place.site);
    }

    /// Returns how many attempts wait at this issuer.
    pub(super) fn waiting(&self, site: &str) -> usize {
        self.issuers.get(site).map_or(0, |it| it.waiting.len())
    }

    /// Returns the limit of this issuer.
    pub(super) fn limit(&self, site: &str) -> usize {
        self.issuers.get(site).map_or(self.at_one, |it| it.limit)
    }

    /// Returns the limit over all issuers. It grows with their limits.
    pub(super) fn limit_in_all(&self) -> usize {
        let grown = self.issuers.values().map(|it| it.limit - self.at_one);
        self.most_in_all.min(self.in_all + grown.sum::<usize>())
    }

    fn running(&self) -> usize {
        self.issuers.values().map(|issuer| issuer.running).sum()
    }

    /// Drops an issuer without running or waiting attempts. It starts again with the initial limit.
    fn forget(&mut self, site: &str) {
        let idle = |it: &Issuer| it.running == 0 && it.waiting.is_empty();
        if self.issuers.get(site).is_some_and(idle) {
            self.issuers.remove(site);
        }
    }
}

#[cfg(test)]
mod tests;
