//! Decides which connections have a place, and which one gives its place up when there are too many.
//!
//! The user with the most connections gives one up. Connections without a complete request go first, then idle ones,
//! then watches, then those whose request only waits. Among equal ones, the oldest goes first. A waiting request is
//! answered early, as if its time had run out. A connection whose answer is being made or written never gives its place
//! up.
//!
//! Nearly every request changes the state of its connection twice, and nearly always there are free places. So a
//! request only changes an atomic of its own connection. The table's order is a lower bound: no connection gives its
//! place up later than the table says. The order is corrected when a place is needed. A change that would break the
//! bound is corrected at once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::connection_state::{Activity, ConnectionState, Position};

/// Limits of the number of connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub total: usize,
    /// Connections of one user.
    pub per_uid: usize,
    /// Of all, the places reserved for the daemon's user and root.
    pub kept: usize,
    /// Connections that have lost their place and have not ended yet.
    pub leaving: usize,
    /// Accepted connections that wait for a place. As many again may wait for their refusal.
    pub waiting: usize,
}

/// Sort key of a user among those that can give up a place.
type EvictionKey = (Reverse<usize>, Activity, u64, u32);

/// The connections that have a place.
#[derive(Debug)]
pub(super) struct EvictionTable {
    limits: Limits,
    stamps: Arc<AtomicU64>,
    next: u64,
    entries: HashMap<u64, Entry>,
    users: HashMap<u32, User>,
    /// The users that can give up a place, as far as the table knows.
    bids: BTreeSet<EvictionKey>,
    /// Number of connections of users other than the daemon's own and root.
    others: usize,
}

#[derive(Debug)]
struct Entry {
    uid: u32,
    standing: Arc<ConnectionState>,
    /// `None` while the table counts the connection as being answered.
    position: Option<Position>,
}

#[derive(Debug, Default)]
struct User {
    is_ours: bool,
    count: usize,
    /// The connections that can give up their place, as far as the table knows.
    queue: BTreeMap<Position, u64>,
    bid: Option<EvictionKey>,
}

/// A new place in the table.
#[derive(Debug)]
pub(super) struct Admission {
    /// Identifies the connection. Keys are not reused.
    pub(super) key: u64,
    pub(super) standing: Arc<ConnectionState>,
    /// The connection that has lost its place for this one.
    pub(super) evicted: Option<u64>,
}

/// There is no free place, and no connection has to give one up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TableFull;

// === impl Places ===

impl EvictionTable {
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

    /// Changes the limits. Connections that have a place keep it, even if they exceed the new limits.
    pub(super) const fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub(super) const fn limits(&self) -> Limits {
        self.limits
    }

    /// Returns the number of connections that have a place.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Gives a place to a new connection of `uid`, perhaps by evicting another one. `is_ours` marks the daemon's user
    /// and root.
    ///
    /// # Errors
    /// [`TableFull`] if no connection may be evicted for it.
    pub(super) fn admit(&mut self, uid: u32, is_ours: bool) -> Result<Admission, TableFull> {
        let count = self.users.get(&uid).map_or(0, |user| user.count);
        let others_full =
            !is_ours && self.others >= self.limits.total.saturating_sub(self.limits.kept);
        let evicted = if count >= self.limits.per_uid {
            Some(self.oldest_of(uid).ok_or(TableFull)?)
        } else if others_full || self.entries.len() >= self.limits.total {
            Some(
                self.first_to_go_for(uid, count, others_full)
                    .ok_or(TableFull)?,
            )
        } else {
            None
        };
        if let Some(key) = evicted {
            self.remove(key);
        }
        let position = (
            Activity::HalfOpen,
            self.stamps.fetch_add(1, Ordering::Relaxed),
        );
        let standing = Arc::new(ConnectionState::new(position, Arc::clone(&self.stamps)));
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

    /// Removes a connection from the table, if it is still there.
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

    /// Sorts a connection by its current state.
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
        if position.0 != Activity::Answering {
            user.queue.insert(position, key);
            entry.position = Some(position);
        }
        let uid = entry.uid;
        self.rank(uid);
    }

    /// Returns the connection of this user that gives up its place first.
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

    /// Returns the connection that gives up its place for a new one of `uid`, which already has `count` connections.
    fn first_to_go_for(&mut self, uid: u32, count: usize, of_others: bool) -> Option<u64> {
        loop {
            // The daemon's user and root are at most two users, so few bids are skipped.
            let users = &self.users;
            let counts = |uid| !of_others || users.get(uid).is_some_and(|user| !user.is_ours);
            let bid = *self.bids.iter().find(|bid| counts(&bid.3))?;
            let (Reverse(most), doing, _, user) = bid;
            let oldest = self.oldest_of(user);
            if self.users.get(&user)?.bid != Some(bid) {
                continue;
            }
            // Evicting a waiting request for another one that may only wait as well gains nothing. So among users with
            // equally many connections, each user gives up one of its own.
            if doing >= Activity::Waiting && most == count && most > 1 {
                return self.oldest_of(uid);
            }
            // A user whose connections are all being answered must not take a place from a user with fewer connections.
            let may_go = most >= count && (most > 1 || doing < Activity::Watching);
            return oldest.filter(|_| may_go);
        }
    }

    /// Updates the position of a user in the order of users.
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
