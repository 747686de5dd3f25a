//! Limits the number of connections, chooses which one to close when there are too many, and ends all of them when the
//! daemon stops.
//!
//! With a plain cap, one user could fill it and lock all others out. So one user cannot take all the places, and at the
//! cap the oldest connection of the same user that has never sent a complete request makes room.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};

/// The most connections in all.
pub const MAX_TOTAL: usize = 4_096;

/// The most connections of one user.
pub const MAX_PER_UID: usize = 3_072;

/// The connections that are open.
#[derive(Debug)]
pub struct Connections {
    table: Mutex<Table>,
    /// Notified when the last connection of a drain has ended.
    emptied: Notify,
    /// Whether a drain's deadline has passed.
    overdue: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Table {
    max_total: usize,
    max_per_uid: usize,
    next: u64,
    total: usize,
    per_uid: HashMap<u32, usize>,
    /// The sender that tells each connection to leave.
    open: HashMap<u64, oneshot::Sender<Leave>>,
    /// Those that have not sent a complete request yet, by user and age.
    half_open: BTreeSet<(u32, u64)>,
    closing: bool,
}

/// Why a connection has to leave. It is sent at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// The connection makes room for another one.
    AtOnce,
    /// The daemon stops: the connection finishes its current request first.
    AfterThis,
}

/// A connection's place under the caps; dropping it gives the place back.
#[derive(Debug)]
pub struct Place {
    connections: Arc<Connections>,
    key: (u32, u64),
    established: AtomicBool,
    /// Whether another connection has to leave for this one.
    made_room: bool,
}

// === impl Connections ===

impl Connections {
    /// Creates a table with these caps.
    pub fn new(max_total: usize, max_per_uid: usize) -> Arc<Self> {
        let table = Table {
            max_total,
            max_per_uid,
            ..Table::default()
        };
        Arc::new(Self {
            table: Mutex::new(table),
            emptied: Notify::new(),
            overdue: watch::Sender::new(false),
        })
    }

    /// Changes the caps. Open connections stay, even if there are more than the new caps allow.
    pub fn limit(&self, max_total: usize, max_per_uid: usize) {
        let mut table = self.lock();
        table.max_total = max_total;
        table.max_per_uid = max_per_uid;
    }

    /// Returns a place for a connection of `uid`, and the receiver that tells it to leave; `None` when there is no
    /// place and no half-open connection of that user to make room.
    ///
    /// There is one channel for both reasons to leave, since a connection polls it whenever it wakes.
    pub fn admit(self: &Arc<Self>, uid: u32) -> Option<(Place, oneshot::Receiver<Leave>)> {
        let mut table = self.lock();
        let full = table.total >= table.max_total
            || table
                .per_uid
                .get(&uid)
                .is_some_and(|n| *n >= table.max_per_uid);
        if full {
            let oldest = table
                .half_open
                .range((uid, 0)..=(uid, u64::MAX))
                .next()
                .copied()?;
            table.half_open.remove(&oldest);
            // The place is given back when that connection's task has ended, a moment from now.
            if let Some(way) = table.open.remove(&oldest.1) {
                tell(way, Leave::AtOnce);
            }
        }
        let key = (uid, table.next);
        table.next += 1;
        table.total += 1;
        *table.per_uid.entry(uid).or_default() += 1;
        table.half_open.insert(key);
        let (way, leave) = oneshot::channel();
        if table.closing {
            tell(way, Leave::AfterThis);
        } else {
            table.open.insert(key.1, way);
        }
        drop(table);
        let place = Place {
            connections: Arc::clone(self),
            key,
            established: AtomicBool::new(false),
            made_room: full,
        };
        Some((place, leave))
    }

    /// Ends all connections, including later ones: each may finish its request within `grace`, and is closed after
    /// that. Returns when the last one has ended, with the number of those that were closed. It can be dropped and
    /// called again.
    pub async fn drain(&self, grace: Duration) -> usize {
        self.close();
        if tokio::time::timeout(grace, self.ended()).await.is_ok() {
            return 0;
        }
        let left = self.lock().total;
        self.overdue.send_replace(true);
        self.ended().await;
        left
    }

    /// Waits until there is no connection. Only during a drain is that sure to happen.
    async fn ended(&self) {
        loop {
            // Subscribe before the check, so that no end is missed.
            let emptied = self.emptied.notified();
            if self.lock().total == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Tells every connection that the daemon stops, including those still to come.
    fn close(&self) {
        let mut table = self.lock();
        table.closing = true;
        for (_, way) in table.open.drain() {
            tell(way, Leave::AfterThis);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // The table is never left half changed: no code that can panic runs under the lock.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Place ===

impl Place {
    /// Whether another connection has to leave for this one. That connection keeps its descriptor until its task has
    /// run.
    pub(super) const fn made_room(&self) -> bool {
        self.made_room
    }

    /// Waits until the deadline of a drain has passed.
    pub(super) async fn overdue(&self) {
        let mut overdue = self.connections.overdue.subscribe();
        // It fails only without a sender, and this place keeps the sender alive.
        let _: Result<_, _> = overdue.wait_for(|overdue| *overdue).await;
    }

    /// Records that the connection has sent a complete request: it no longer makes room for others.
    pub fn established(&self) {
        // Called for every request, but only the first one changes the table.
        if !self.established.swap(true, Ordering::Relaxed) {
            self.connections.lock().half_open.remove(&self.key);
        }
    }
}

fn tell(way: oneshot::Sender<Leave>, leave: Leave) {
    // A connection that no longer receives has ended.
    let _: Result<(), _> = way.send(leave);
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.connections.lock();
        table.half_open.remove(&self.key);
        table.open.remove(&self.key.1);
        table.total = table.total.saturating_sub(1);
        if let Some(n) = table.per_uid.get_mut(&self.key.0) {
            *n = n.saturating_sub(1);
            if *n == 0 {
                table.per_uid.remove(&self.key.0);
            }
        }
        if table.closing && table.total == 0 {
            drop(table);
            self.connections.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An open connection that can be told to leave.
    struct Open {
        place: Place,
        leave: oneshot::Receiver<Leave>,
    }

    fn open(all: &Arc<Connections>, uid: u32) -> Option<Open> {
        let (place, leave) = all.admit(uid)?;
        Some(Open { place, leave })
    }

    fn told(open: &mut Open) -> Option<Leave> {
        open.leave.try_recv().ok()
    }

    #[test]
    fn one_user_cannot_take_every_place() {
        let all = Connections::new(4, 3);
        let hog: Vec<_> = (0..3).map(|_| open(&all, 1).unwrap()).collect();
        hog.iter().for_each(|open| open.place.established());
        assert!(open(&all, 1).is_none());
        assert!(open(&all, 2).is_some());
    }

    #[test]
    fn over_the_cap_the_oldest_half_open_connection_of_that_user_goes() {
        let all = Connections::new(4, 3);
        let mut others = [2, 1, 1, 1].map(|uid| open(&all, uid).unwrap());
        others[1].place.established();
        let mut newest = open(&all, 1).unwrap();
        assert_eq!(
            others.each_mut().map(told),
            [None, None, Some(Leave::AtOnce), None]
        );
        assert_eq!(told(&mut newest), None);
    }

    #[test]
    fn the_caps_can_change_and_open_connections_stay() {
        let all = Connections::new(2, 2);
        let mut kept = [1, 1].map(|uid| open(&all, uid).unwrap());
        kept.iter().for_each(|open| open.place.established());
        assert!(open(&all, 2).is_none());
        all.limit(3, 2);
        let third = open(&all, 2).unwrap();
        assert!(!third.place.made_room());
        all.limit(1, 1);
        assert_eq!(kept.each_mut().map(told), [None, None]);
        assert!(open(&all, 2).unwrap().place.made_room());
        drop((kept, third));
        assert!(open(&all, 1).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_tells_every_connection_the_late_ones_too_and_waits_for_all() {
        let all = Connections::new(4, 4);
        let [mut a, mut b] = [1, 2].map(|uid| open(&all, uid).unwrap());
        b.place.established();
        let mut drain = std::pin::pin!(all.drain(Duration::from_secs(5)));
        let mut within = async |secs| tokio::time::timeout(secs, drain.as_mut()).await.ok();
        assert_eq!(within(Duration::from_secs(1)).await, None);
        let mut late = open(&all, 1).unwrap();
        for open in [&mut a, &mut b, &mut late] {
            assert_eq!(told(open), Some(Leave::AfterThis));
        }
        drop((a, b));
        assert_eq!(within(Duration::from_secs(1)).await, None);
        drop(late);
        assert_eq!(within(Duration::ZERO).await, Some(0));
        assert_eq!(all.drain(Duration::ZERO).await, 0, "there is none");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_learns_when_the_deadline_of_a_drain_has_passed() {
        let all = Connections::new(4, 4);
        let [slow, quick] = [1, 1].map(|uid| open(&all, uid).unwrap());
        let connection = async {
            slow.place.overdue().await;
            drop(slow);
        };
        let waits = async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            drop(quick);
        };
        let (closed, (), ()) = tokio::join!(all.drain(Duration::from_secs(5)), connection, waits);
        assert_eq!(closed, 1);
        let late = open(&all, 1).unwrap();
        late.place.overdue().await;
    }

    #[test]
    fn a_place_is_given_back() {
        let all = Connections::new(1, 1);
        for _ in 0..3 {
            let open = open(&all, 1).unwrap();
            open.place.established();
            assert!(all.admit(1).is_none());
        }
        let table = all.lock();
        assert!(table.per_uid.is_empty());
        assert!(table.open.is_empty());
        assert!(table.half_open.is_empty());
    }
}
