//! How many connections there may be, and which one goes when there are too many.
//!
//! A plain cap is a weapon: whoever fills it locks everybody out. So one user cannot take all the places, and over the
//! cap the oldest connection of that user that has never sent a whole request makes room.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The most connections in all.
pub const MAX_TOTAL: usize = 4_096;

/// The most connections of one user.
pub const MAX_PER_UID: usize = 3_072;

/// The connections that are open.
#[derive(Debug)]
pub struct Connections {
    table: Mutex<Table>,
    max_total: usize,
    max_per_uid: usize,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    total: usize,
    per_uid: HashMap<u32, usize>,
    /// Those that have not sent a whole request yet, by user and age.
    half_open: BTreeMap<(u32, u64), Arc<Notify>>,
}

/// A connection's place; dropping it gives the place back.
#[derive(Debug)]
pub struct Place {
    connections: Arc<Connections>,
    key: (u32, u64),
    established: AtomicBool,
    evicted: Arc<Notify>,
}

// === impl Connections ===

impl Connections {
    /// A table with these caps.
    pub fn new(max_total: usize, max_per_uid: usize) -> Arc<Self> {
        Arc::new(Self {
            table: Mutex::default(),
            max_total,
            max_per_uid,
        })
    }

    /// A place for a connection of `uid`; `None` when there is none and no half-open one of that user to make room.
    pub fn admit(self: &Arc<Self>, uid: u32) -> Option<Place> {
        let mut table = self.lock();
        let full = table.total >= self.max_total
            || table
                .per_uid
                .get(&uid)
                .is_some_and(|n| *n >= self.max_per_uid);
        if full {
            let oldest = table
                .half_open
                .range((uid, 0)..=(uid, u64::MAX))
                .next()
                .map(|(key, _)| *key)?;
            // Its place is given back when its task has ended, a moment from now.
            if let Some(evicted) = table.half_open.remove(&oldest) {
                evicted.notify_one();
            }
        }
        let key = (uid, table.next);
        table.next += 1;
        table.total += 1;
        *table.per_uid.entry(uid).or_default() += 1;
        let evicted = Arc::new(Notify::new());
        table.half_open.insert(key, Arc::clone(&evicted));
        drop(table);
        Some(Place {
            connections: Arc::clone(self),
            key,
            established: AtomicBool::new(false),
            evicted,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // The table is never left half changed: no code that can panic runs under the lock.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Place ===

impl Place {
    /// The connection has sent a whole request: it makes no room for others any more.
    pub fn established(&self) {
        // Said of every request, and news of the first one alone.
        if !self.established.swap(true, Ordering::Relaxed) {
            self.connections.lock().half_open.remove(&self.key);
        }
    }

    /// Ends when the connection has to make room.
    pub async fn evicted(&self) {
        self.evicted.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.connections.lock();
        table.half_open.remove(&self.key);
        table.total = table.total.saturating_sub(1);
        if let Some(n) = table.per_uid.get_mut(&self.key.0) {
            *n = n.saturating_sub(1);
            if *n == 0 {
                table.per_uid.remove(&self.key.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evicted(place: &Place) -> bool {
        use std::future::Future;
        let mut wait = std::pin::pin!(place.evicted());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        wait.as_mut().poll(&mut cx).is_ready()
    }

    #[test]
    fn one_user_cannot_take_every_place() {
        let all = Connections::new(4, 3);
        let hog: Vec<_> = (0..3).map(|_| all.admit(1).unwrap()).collect();
        hog.iter().for_each(Place::established);
        assert!(all.admit(1).is_none());
        assert!(all.admit(2).is_some());
    }

    #[test]
    fn over_the_cap_the_oldest_half_open_connection_of_that_user_goes() {
        let all = Connections::new(4, 3);
        let other = all.admit(2).unwrap();
        let (a, b, c) = (
            all.admit(1).unwrap(),
            all.admit(1).unwrap(),
            all.admit(1).unwrap(),
        );
        a.established();
        let d = all.admit(1).unwrap();
        assert_eq!(
            [&a, &b, &c, &d, &other].map(evicted),
            [false, true, false, false, false]
        );
    }

    #[test]
    fn a_place_is_given_back() {
        let all = Connections::new(1, 1);
        for _ in 0..3 {
            let place = all.admit(1).unwrap();
            place.established();
            assert!(all.admit(1).is_none());
        }
        assert!(all.lock().per_uid.is_empty());
        assert!(all.lock().half_open.is_empty());
    }
}
