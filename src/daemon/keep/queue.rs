//! Decides which attempt may call its issuer next, and how many may at once. No clock and no task: the bulkhead executes what
//! is decided here.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::instant::BootInstant;

/// The maximum of attempts at one issuer that has not shown that it can do more.
pub(super) const AT_ONE: usize = 8;

/// The maximum of attempts at one issuer, however healthy it is.
pub(super) const MOST_AT_ONE: usize = 32;

/// The maximum of attempts in all while no issuer's limit has grown. Several issuers may hang before attempts at others
/// have to wait, and then for no longer than one attempt may take.
pub(super) const IN_ALL: usize = 32;

/// The maximum of attempts in all.
pub(super) const MOST_IN_ALL: usize = 128;

/// How many places are out of the reach of issuers whose limit has grown.
const KEPT_FREE: usize = 8;

/// What decides the order of attempts at one issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rank {
    /// Whether a caller waits for a token.
    pub(super) wanted: bool,
    /// Until when the held token is valid.
    pub(super) held_until: Option<BootInstant>,
}

/// The number of an attempt; a later one has a larger number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(u64);

/// A place for one call, with the number of times that the issuer's limit had been reset when it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) ticket: Ticket,
    pub(super) site: Arc<str>,
    resets: u64,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With a token, soon enough.
    Healthy,
    /// It failed.
    Failed,
    /// It was dropped, which says nothing about the issuer.
    Dropped,
}

/// The attempts that wait for a place, and the limits.
#[derive(Debug)]
pub(super) struct Queue {
    /// The limits with which issuers begin, and the largest ones.
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
    /// The order at `now`, the smallest first: a caller waits and no token is held, no token is held, by expiry.
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
    /// A queue whose limit in all never exceeds `most`.
    pub(super) fn new(most: usize) -> Self {
        let most_in_all = most.clamp(1, MOST_IN_ALL);
        let in_all = most_in_all.min(IN_ALL);
        // One issuer never gets all places: if it hung, attempts at every other issuer would wait.
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

    /// Has an attempt at this issuer wait for a place.
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

    /// Changes the rank of an attempt that waits.
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

    /// Gives the next place, if one is free. The issuer with the fewest attempts running comes first, so that no issuer
    /// waits for the queue of another; at one issuer the order is by rank, then by arrival.
    pub(super) fn next(&mut self, now: BootInstant) -> Option<Place> {
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
        Some(Place {
            ticket,
            site,
            resets,
        })
    }

    /// A call takes longer than a healthy issuer does: the issuer's limit is reset.
    pub(super) fn slow(&mut self, place: &Place) {
        let at_one = self.at_one;
        if let Some(issuer) = self.issuers.get_mut(&place.site) {
            issuer.limit = at_one;
            issuer.resets += 1;
        }
    }

    /// A call has ended, and its place is free. The limit grows when an answer is healthy and attempts wait, but not by an
    /// answer to a call that was made before the last reset: it says nothing about the issuer since then.
    pub(super) fn end(&mut self, place: &Place, outcome: Outcome) {
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

    /// How many attempts wait at this issuer.
    pub(super) fn waiting(&self, site: &str) -> usize {
        self.issuers.get(site).map_or(0, |it| it.waiting.len())
    }

    /// The limit of this issuer.
    pub(super) fn limit(&self, site: &str) -> usize {
        self.issuers.get(site).map_or(self.at_one, |it| it.limit)
    }

    /// The limit in all: it grows with those of the issuers.
    pub(super) fn limit_in_all(&self) -> usize {
        let grown = self.issuers.values().map(|it| it.limit - self.at_one);
        self.most_in_all.min(self.in_all + grown.sum::<usize>())
    }

    fn running(&self) -> usize {
        self.issuers.values().map(|issuer| issuer.running).sum()
    }

    /// Forgets an issuer at which nothing runs or waits; it begins again with the usual limit.
    fn forget(&mut self, site: &str) {
        let idle = |it: &Issuer| it.running == 0 && it.waiting.is_empty();
        if self.issuers.get(site).is_some_and(idle) {
            self.issuers.remove(site);
        }
    }
}

#[cfg(test)]
mod tests;
