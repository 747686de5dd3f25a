//! Accepted connections that wait until they are served or refused.
//!
//! A client whose connection was refused, displaced or closed for its faults can connect again at once. If the daemon
//! handled each of these connections immediately, one user could keep the event loop busy, and the connections of all
//! other users would wait behind them in the kernel's backlog. So the daemon accepts everything in the backlog. The
//! connections of a user with many fruitless ones wait here, and each tick lets a few of them in. That ends the flood,
//! because the clients now hold open connections instead of making new ones.
//!
//! A connection is fruitless if it was refused, displaced another one, or ended without an answer other than a server
//! error.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

/// Interval at which waiting connections are let in.
pub(super) const TICK: Duration = Duration::from_millis(2);

/// Number of fruitless connections after which a user's next connections wait. Health checks that only connect stay
/// below it.
const BURST: u32 = 512;

/// Number of a user's fruitless connections that each tick forgives. A connection that waited is counted when it is let
/// in, and again if it is fruitless. So half as many of them are let in, rounded up: 1,000 a second.
const FORGIVEN: u32 = 3;

/// Number of waiting connections that one tick lets in, for each kind of access.
const IN_ALL: u32 = 3;

/// Whether a user may use the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// The daemon's own user, root, or a user that a rule names.
    Allowed,
    /// No rule names the user. All these users share one count, because one account can have thousands of user IDs.
    Forbidden,
}

/// The waiting connections.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    allowed: WaitingUsers<T>,
    forbidden: WaitingUsers<T>,
}

/// The waiting connections of one kind of access. Each user has a queue, and the users take turns.
#[derive(Debug)]
struct WaitingUsers<T> {
    /// Maximum number of connections in all queues.
    limit: usize,
    length: usize,
    queues: HashMap<u32, VecDeque<T>>,
    /// The users that have a queue, the next one first.
    turns: VecDeque<u32>,
    /// The length of each user's queue.
    lengths: BTreeSet<(usize, u32)>,
    /// Number of fruitless connections that are not forgiven yet, by user. The key is 0 if all users share one count.
    debts: HashMap<u32, u32>,
    is_shared: bool,
    /// Number of connections that this tick has let in.
    served: u32,
}

// === impl Waiting ===

impl<T> Waiting<T> {
    /// Creates queues in which at most `limit` connections of each kind wait.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            allowed: WaitingUsers::new(limit, false),
            forbidden: WaitingUsers::new(limit, true),
        }
    }

    /// Changes the limit for later connections.
    pub(super) const fn limit(&mut self, limit: usize) {
        self.allowed.limit = limit;
        self.forbidden.limit = limit;
    }

    /// Whether a new connection of this user can be let in at once.
    pub(super) fn may_enter_now(&self, access: Access, uid: u32) -> bool {
        let line = self.line(access);
        !line.is_in_debt(uid) && !line.queues.contains_key(&uid)
    }

    /// Counts a fruitless connection of this user.
    pub(super) fn count_fruitless(&mut self, access: Access, uid: u32) {
        self.line_mut(access).count_fruitless(uid);
    }

    /// Adds a connection. If too many wait, returns the oldest one of the user with the longest queue, which is let in
    /// now.
    pub(super) fn push(&mut self, access: Access, uid: u32, connection: T) -> Option<T> {
        self.line_mut(access).push(uid, connection)
    }

    /// Removes the next connection that this tick may let in.
    pub(super) fn next(&mut self) -> Option<T> {
        self.allowed.next().or_else(|| self.forbidden.next())
    }

    /// Starts the next tick.
    pub(super) fn tick(&mut self) {
        self.allowed.tick();
        self.forbidden.tick();
    }

    /// Removes all connections.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = T> + use<T> {
        let (allowed, forbidden) = (self.allowed.take_all(), self.forbidden.take_all());
        allowed.chain(forbidden)
    }

    /// Whether ticks would have no effect: no connection waits, and all fruitless ones are forgiven.
    pub(super) fn is_quiet(&self) -> bool {
        let is_quiet = |line: &WaitingUsers<T>| line.length == 0 && line.debts.is_empty();
        is_quiet(&self.allowed) && is_quiet(&self.forbidden)
    }

    const fn line(&self, access: Access) -> &WaitingUsers<T> {
        match access {
            Access::Allowed => &self.allowed,
            Access::Forbidden => &self.forbidden,
        }
    }

    const fn line_mut(&mut self, access: Access) -> &mut WaitingUsers<T> {
        match access {
            Access::Allowed => &mut self.allowed,
            Access::Forbidden => &mut self.forbidden,
        }
    }
}

// === impl Line ===

impl<T> WaitingUsers<T> {
    fn new(limit: usize, is_shared: bool) -> Self {
        Self {
            limit,
            length: 0,
            queues: HashMap::new(),
            turns: VecDeque::new(),
            lengths: BTreeSet::new(),
            debts: HashMap::new(),
            is_shared,
            served: 0,
        }
    }

    const fn count_key(&self, uid: u32) -> u32 {
        if self.is_shared { 0 } else { uid }
    }

    fn is_in_debt(&self, uid: u32) -> bool {
        let debt = self.debts.get(&self.count_key(uid));
        debt.is_some_and(|debt| *debt >= BURST)
    }

    fn count_fruitless(&mut self, uid: u32) {
        let debt = self.debts.entry(self.count_key(uid)).or_default();
        // Cap the count, so that even after thousands of connections that end together the next one waits for only one
        // tick.
        *debt = (*debt + 1).min(BURST);
    }

    fn push(&mut self, uid: u32, connection: T) -> Option<T> {
        let queue = self.queues.entry(uid).or_default();
        if queue.is_empty() {
            self.turns.push_back(uid);
        }
        self.lengths.remove(&(queue.len(), uid));
        queue.push_back(connection);
        self.lengths.insert((queue.len(), uid));
        self.length += 1;
        if self.length <= self.limit {
            return None;
        }
        let (_, longest) = *self.lengths.last()?;
        let first = self.pop(longest);
        if !self.queues.contains_key(&longest) {
            self.turns.retain(|uid| *uid != longest);
        }
        first
    }

    fn next(&mut self) -> Option<T> {
        if self.served >= IN_ALL || self.is_shared && self.is_in_debt(0) {
            return None;
        }
        for _ in 0..self.turns.len() {
            let uid = self.turns.pop_front()?;
            if self.is_in_debt(uid) {
                self.turns.push_back(uid);
                continue;
            }
            self.served += 1;
            self.count_fruitless(uid);
            let first = self.pop(uid);
            if self.queues.contains_key(&uid) {
                self.turns.push_back(uid);
            }
            return first;
        }
        None
    }

    /// Removes the oldest connection of a user. The caller must keep `turns` consistent.
    fn pop(&mut self, uid: u32) -> Option<T> {
        let queue = self.queues.get_mut(&uid)?;
        self.lengths.remove(&(queue.len(), uid));
        let first = queue.pop_front();
        self.length -= usize::from(first.is_some());
        if queue.is_empty() {
            self.queues.remove(&uid);
        } else {
            self.lengths.insert((queue.len(), uid));
        }
        first
    }

    fn tick(&mut self) {
        self.served = 0;
        self.debts.retain(|_, debt| {
            *debt = debt.saturating_sub(FORGIVEN);
            *debt > 0
        });
        if self.length == 0 {
            // Free the memory that a large crowd needed.
            (self.queues, self.turns) = (HashMap::new(), VecDeque::new());
        }
    }

    fn take_all(&mut self) -> impl Iterator<Item = T> + use<T> {
        self.length = 0;
        self.turns.clear();
        self.lengths.clear();
        std::mem::take(&mut self.queues).into_values().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::Access::{Allowed, Forbidden};
    use super::*;

    /// Creates a table in which these users have the maximum count of fruitless connections.
    fn busy(limit: usize, access: Access, uids: &[u32]) -> Waiting<(u32, u32)> {
        let mut waiting = Waiting::new(limit);
        for uid in uids {
            (0..BURST).for_each(|_| waiting.count_fruitless(access, *uid));
        }
        waiting
    }

    fn crowd(waiting: &mut Waiting<(u32, u32)>, access: Access, uid: u32, count: u32) {
        for n in 0..count {
            assert_eq!(waiting.push(access, uid, (uid, n)), None);
        }
    }

    fn turns(waiting: &mut Waiting<(u32, u32)>) -> Vec<(u32, u32)> {
        waiting.tick();
        std::iter::from_fn(|| waiting.next()).collect()
    }

    #[test]
    fn a_user_waits_only_after_many_connections_without_a_request() {
        let mut waiting = Waiting::<()>::new(8);
        assert!(waiting.is_quiet());
        for _ in 0..BURST {
            assert!(waiting.may_enter_now(Allowed, 1));
            waiting.count_fruitless(Allowed, 1);
        }
        assert!(!waiting.may_enter_now(Allowed, 1));
        assert!(waiting.may_enter_now(Allowed, 2) && waiting.may_enter_now(Forbidden, 1));
        waiting.tick();
        assert!(waiting.may_enter_now(Allowed, 1));
        assert!(!waiting.is_quiet());
        (0..BURST / FORGIVEN).for_each(|_| waiting.tick());
        assert!(waiting.is_quiet());
    }

    #[test]
    fn after_many_connections_without_a_request_the_next_one_waits_one_tick() {
        let mut waiting = busy(8, Allowed, &[1, 1, 1]);
        waiting.tick();
        assert!(waiting.may_enter_now(Allowed, 1));
    }

    #[test]
    fn users_without_a_rule_share_one_count() {
        let mut waiting = Waiting::<()>::new(8);
        (0..BURST).for_each(|uid| waiting.count_fruitless(Forbidden, uid));
        assert!(!waiting.may_enter_now(Forbidden, BURST + 1));
    }

    #[test]
    fn a_new_connection_never_overtakes_a_waiting_one_of_its_user() {
        let mut waiting = busy(8, Allowed, &[1]);
        crowd(&mut waiting, Allowed, 1, 1);
        waiting.tick();
        assert!(!waiting.may_enter_now(Allowed, 1));
        assert_eq!(waiting.next(), Some((1, 0)));
        assert!(waiting.may_enter_now(Allowed, 1));
    }

    #[test]
    fn users_take_turns_regardless_of_their_number_of_connections() {
        for access in [Allowed, Forbidden] {
            let mut waiting = busy(99, access, &[1, 2, 3]);
            crowd(&mut waiting, access, 1, 20);
            crowd(&mut waiting, access, 2, 1);
            crowd(&mut waiting, access, 3, 2);
            assert_eq!(turns(&mut waiting), [(1, 0), (2, 0), (3, 0)]);
            assert_eq!(turns(&mut waiting), [(1, 1), (3, 1), (1, 2)]);
            for left in [3, 3, 3, 3, 3, 2] {
                assert_eq!(turns(&mut waiting).len(), left);
            }
            assert!(turns(&mut waiting).is_empty());
        }
    }

    #[test]
    fn connections_without_a_request_use_up_turns_twice_as_fast() {
        let mut waiting = busy(99, Allowed, &[1]);
        crowd(&mut waiting, Allowed, 1, 20);
        waiting.tick();
        let mut served = 0;
        while waiting.next().is_some() {
            waiting.count_fruitless(Allowed, 1);
            served += 1;
        }
        assert_eq!(served, FORGIVEN.div_ceil(2));
    }

    #[test]
    fn when_too_many_wait_the_oldest_of_the_longest_queue_is_served() {
        let mut waiting = busy(4, Allowed, &[1, 2]);
        crowd(&mut waiting, Allowed, 1, 3);
        crowd(&mut waiting, Allowed, 2, 1);
        assert_eq!(waiting.push(Allowed, 2, (2, 1)), Some((1, 0)));
        assert_eq!(waiting.push(Allowed, 1, (1, 3)), Some((1, 1)));
        crowd(&mut waiting, Forbidden, 1, 4);
        assert_eq!(turns(&mut waiting).len(), 6);
        let mut none = busy(0, Allowed, &[1]);
        assert_eq!(none.push(Allowed, 1, (1, 0)), Some((1, 0)));
        assert!(turns(&mut none).is_empty());
    }

    #[test]
    fn all_waiting_connections_can_be_taken_out() {
        let mut waiting = busy(9, Allowed, &[1]);
        crowd(&mut waiting, Allowed, 1, 3);
        crowd(&mut waiting, Forbidden, 2, 2);
        assert_eq!(waiting.take_all().count(), 5);
        assert_eq!(waiting.take_all().count(), 0);
        assert!(turns(&mut waiting).is_empty());
        crowd(&mut waiting, Allowed, 1, 1);
        assert_eq!(turns(&mut waiting), [(1, 0)]);
    }
}
