//! Which connections have a place, and which of them gives its place up when there are too many.
//!
//! The user with the most connections gives one up: one that has sent no complete request first, then an idle one, then
//! a watch, then one whose request only waits, and of each kind the oldest. The request that waits is answered early, as
//! when its time has run out. A connection whose answer is being made or written never gives its place up.
//!
//! Nearly every request changes what its connection is doing twice, and nearly always there are places left. So a
//! request changes an atomic of its own alone. The table's order is a lower bound: a connection never gives its place up
//! later than it stands there. The order is corrected when a place is needed, and at once only for a change that would
//! break that bound.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::standing::{Doing, Position, Standing};

/// How many connections there may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub total: usize,
    /// Connections of one user.
    pub per_uid: usize,
    /// Of all, those that only the daemon's user and root can have.
    pub kept: usize,
    /// Connections that have lost their place and have not ended yet.
    pub leaving: usize,
    /// Accepted connections that wait for a place; as many others may wait for their refusal.
    pub waiting: usize,
}

/// The position of a user in the order of those that can give up a place.
type Bid = (Reverse<usize>, Doing, u64, u32);

/// The connections that have a place.
#[derive(Debug)]
pub(super) struct Places {
    limits: Limits,
    stamps: Arc<AtomicU64>,
    next: u64,
    entries: HashMap<u64, Entry>,
    users: HashMap<u32, User>,
    /// The users that can give up a place, as far as the table knows.
    bids: BTreeSet<Bid>,
    /// How many connections are of other users than the daemon's own and root.
    others: usize,
}

#[derive(Debug)]
struct Entry {
    uid: u32,
    standing: Arc<Standing>,
    /// `None` while the table takes the connection for one that is being answered.
    position: Option<Position>,
}

#[derive(Debug, Default)]
struct User {
    is_ours: bool,
    count: usize,
    /// The connections that can give up their place, as far as the table knows.
    queue: BTreeMap<Position, u64>,
    bid: Option<Bid>,
}

/// A new place.
#[derive(Debug)]
pub(super) struct Admission {
    /// Identifies the connection; it is never used again.
    pub(super) key: u64,
    pub(super) standing: Arc<Standing>,
    /// The connection that has lost its place for this one.
    pub(super) evicted: Option<u64>,
}

/// There is no place, and no connection that may have to give one up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

// === impl Places ===

impl Places {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            stamps: Arc::default(),
            next: 0,
            entries: HashMap::new(),
            users: HashMap::new(),
            bids: BTreeSet::new(),
            others: 0,
        }
    }

    /// Changes the limits. Connections that have a place stay, even if there are more than the new limits allow.
    pub(super) const fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub(super) const fn limits(&self) -> Limits {
        self.limits
    }

    /// How many connections have a place.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Gives a place to a new connection of `uid`, which `is_ours` if it is the daemon's user or root. Another
    /// connection may lose its place.
    ///
    /// # Errors
    /// [`Full`].
    pub(super) fn admit(&mut self, uid: u32, is_ours: bool) -> Result<Admission, Full> {
        let count = self.users.get(&uid).map_or(0, |user| user.count);
        let others_full =
            !is_ours && self.others >= self.limits.total.saturating_sub(self.limits.kept);
        let evicted = if count >= self.limits.per_uid {
            Some(self.oldest_of(uid).ok_or(Full)?)
        } else if others_full || self.entries.len() >= self.limits.total {
            Some(self.first_to_go_for(uid, count, others_full).ok_or(Full)?)
        } else {
            None
        };
        if let Some(key) = evicted {
            self.remove(key);
        }
        let position = (Doing::HalfOpen, self.stamps.fetch_add(1, Ordering::Relaxed));
        let standing = Arc::new(Standing::new(position, Arc::clone(&self.stamps)));
        let key = self.next;
        self.next += 1;
        self.entries.insert(
            key,
            Entry {
                uid,
                standing: Arc::clone(&standing),
                position: Some(position),
            },
        );
        let user = self.users.entry(uid).or_default();
        user.is_ours = is_ours;
        user.count += 1;
        user.queue.insert(position, key);
        self.others += usize::from(!is_ours);
        self.rank(uid);
        Ok(Admission {
            key,
            standing,
            evicted,
        })
    }

    /// Takes a connection out of the table, if it is still there.
    pub(super) fn remove(&mut self, key: u64) {
        let Some(entry) = self.entries.remove(&key) else {
            return;
        };
        let Some(user) = self.users.get_mut(&entry.uid) else {
            return;
        };
        user.count = user.count.saturating_sub(1);
        if let Some(position) = entry.position {
            user.queue.remove(&position);
        }
        self.others = self.others.saturating_sub(usize::from(!user.is_ours));
        self.rank(entry.uid);
    }

    /// Orders a connection by what it is doing now.
    pub(super) fn order_again(&mut self, key: u64) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        let Some(user) = self.users.get_mut(&entry.uid) else {
            return;
        };
        if let Some(position) = entry.position.take() {
            user.queue.remove(&position);
        }
        let mut now = entry.standing.get();
        while !entry.standing.order(now) {
            now = entry.standing.get();
        }
        let position = now.position();
        if position.0 != Doing::Answering {
            user.queue.insert(position, key);
            entry.position = Some(position);
        }
        let uid = entry.uid;
        self.rank(uid);
    }

    /// The connection of this user that gives up its place first.
    fn oldest_of(&mut self, uid: u32) -> Option<u64> {
        loop {
            let (position, key) = self.users.get(&uid)?.queue.first_key_value()?;
            let (position, key) = (*position, *key);
            if self.entries.get(&key)?.standing.get().position() == position {
                return Some(key);
            }
            self.order_again(key);
        }
    }

    /// The connection that gives up its place for a new one of `uid`, which has `count`.
    fn first_to_go_for(&mut self, uid: u32, count: usize, of_others: bool) -> Option<u64> {
        loop {
            // The daemon's user and root are two at most, so few bids are passed over.
            let users = &self.users;
            let counts = |uid| !of_others || users.get(uid).is_some_and(|user| !user.is_ours);
            let bid = *self.bids.iter().find(|bid| counts(&bid.3))?;
            let (Reverse(most), doing, _, user) = bid;
            let oldest = self.oldest_of(user);
            if self.users.get(&user)?.bid != Some(bid) {
                continue;
            }
            // A request that waits loses its answer for one that may wait as well: among users with as many, each gives
            // up its own.
            if doing >= Doing::Waiting && most == count && most > 1 {
                return self.oldest_of(uid);
            }
            // A user that has as many already, all of them being answered, takes no place of one that has fewer.
            let may_go = most >= count && (most > 1 || doing < Doing::Watching);
            return oldest.filter(|_| may_go);
        }
    }

    /// Puts a user where it belongs in the order of users.
    fn rank(&mut self, uid: u32) {
        let Some(user) = self.users.get_mut(&uid) else {
            return;
        };
        let first = user.queue.first_key_value();
        let bid = first.map(|((doing, stamp), _)| (Reverse(user.count), *doing, *stamp, uid));
        if bid != user.bid {
            if let Some(before) = user.bid.take() {
                self.bids.remove(&before);
            }
            self.bids.extend(bid);
            user.bid = bid;
        }
        if user.count == 0 {
            self.users.remove(&uid);
        }
    }
}

#[cfg(test)]
mod tests;
