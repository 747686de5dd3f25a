//! The open connections with their users, and the channels that tell them to leave.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::connection_state::ConnectionState;
use super::eviction::{Admission, EvictionTable, Limits};
use super::turns::UserTurnCount;

#[derive(Debug)]
pub(super) struct Table {
    pub(super) places: EvictionTable,
    /// All connections that have not ended, including those that have lost their place.
    pub(super) open: usize,
    /// The channel that tells each connection to leave.
    ways: HashMap<u64, oneshot::Sender<LeaveReason>>,
    /// The requests of each user in this turn of the event loop, and the number of the user's connections.
    in_turn: HashMap<u32, (Arc<UserTurnCount>, usize)>,
    /// Set once the daemon stops: until when a connection that has sent nothing may send its first request.
    pub(super) first_request_until: Option<Instant>,
}

/// Why a connection has to leave. Each connection is told at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveReason {
    /// The connection makes room for another one, or its peer has hung up.
    AtOnce,
    /// The daemon stops: the connection finishes its current request first.
    AfterThis,
}

/// A connection that got a place.
pub(super) struct AdmittedConnection {
    pub(super) key: u64,
    pub(super) standing: Arc<ConnectionState>,
    pub(super) in_turn: Arc<UserTurnCount>,
    /// Receives the order to leave.
    pub(super) leave: oneshot::Receiver<LeaveReason>,
    /// Whether another connection lost its place to this one.
    pub(super) displaces: bool,
}

// === impl Table ===

impl Table {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            places: EvictionTable::new(limits),
            open: 0,
            ways: HashMap::new(),
            in_turn: HashMap::new(),
            first_request_until: None,
        }
    }

    /// Gives a place to a connection of `uid`. `is_ours` marks the daemon's user and root. Returns `None` if there is
    /// no place.
    pub(super) fn admit(&mut self, uid: u32, is_ours: bool) -> Option<AdmittedConnection> {
        let Admission {
            key,
            standing,
            evicted,
        } = self.places.admit(uid, is_ours).ok()?;
        // The evicted connection frees its descriptor when its task has ended, shortly after this.
        if let Some(key) = evicted {
            self.tell(key);
        }
        let (way, leave) = oneshot::channel();
        if self.first_request_until.is_some() {
            send(way, LeaveReason::AfterThis);
        } else {
            self.ways.insert(key, way);
        }
        self.open += 1;
        let (in_turn, count) = self.in_turn.entry(uid).or_default();
        *count += 1;
        Some(AdmittedConnection {
            key,
            standing,
            in_turn: Arc::clone(in_turn),
            leave,
            displaces: evicted.is_some(),
        })
    }

    /// Tells a connection to leave at once, unless it has been told to leave before.
    pub(super) fn tell(&mut self, key: u64) {
        if let Some(way) = self.ways.remove(&key) {
            send(way, LeaveReason::AtOnce);
        }
    }

    /// Tells every connection that the daemon stops, including later ones. A connection that has sent nothing may send
    /// its first request until `first_request_until`. Of several calls, the first one sets that moment.
    pub(super) fn close(&mut self, first_request_until: Instant) {
        self.first_request_until.get_or_insert(first_request_until);
        for (_, way) in self.ways.drain() {
            send(way, LeaveReason::AfterThis);
        }
    }

    /// Removes a connection of `uid` that has ended. Returns whether it was the last one of a stopping daemon.
    pub(super) fn remove(&mut self, key: u64, uid: u32) -> bool {
        self.places.remove(key);
        self.ways.remove(&key);
        self.open = self.open.saturating_sub(1);
        if let Some((_, count)) = self.in_turn.get_mut(&uid) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.in_turn.remove(&uid);
            }
        }
        self.first_request_until.is_some() && self.open == 0
    }

    /// Whether too many connections without a place still have their descriptors.
    pub(super) fn must_wait(&self) -> bool {
        self.open.saturating_sub(self.places.len()) >= self.places.limits().leaving
    }

    /// Whether no trace of ended connections is left.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.open == 0 && self.ways.is_empty() && self.in_turn.is_empty()
    }
}

fn send(way: oneshot::Sender<LeaveReason>, leave: LeaveReason) {
    // If the connection no longer receives, it has ended.
    let _: Result<(), _> = way.send(leave);
}
