//! What one connection is doing, and since when, for the order in which connections give up their places.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a connection is doing. Among one user's connections, the first variants give up their places first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Activity {
    /// It has not sent a complete request yet, or is still sending a body.
    HalfOpen,
    /// All of its requests are answered.
    Idle,
    /// It watches a profile. A client can reopen a watch from the ID of its last event.
    Watching,
    /// Its request only waits. The request can be answered early, as if its time had run out.
    Waiting,
    /// Its answer is being made or written.
    Answering,
}

/// State of one connection, shared by the connection and the table.
#[derive(Debug)]
pub(super) struct ConnectionState {
    /// A [`PackedState`] value.
    bits: AtomicU64,
    /// Counts the state changes of all connections.
    stamps: Arc<AtomicU64>,
}

/// A snapshot of a [`ConnectionState`]: the connection's position, and the kind by which the table has sorted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PackedState(u64);

/// Position among one user's connections: the kind, and when the connection became of that kind.
pub(super) type Position = (Activity, u64);

// === impl Bits ===

impl PackedState {
    const KINDS: [Activity; 5] = [
        Activity::HalfOpen,
        Activity::Idle,
        Activity::Watching,
        Activity::Waiting,
        Activity::Answering,
    ];

    const fn new((doing, stamp): Position, sorted_as: Activity) -> Self {
        Self(stamp << 6 | (sorted_as as u64) << 3 | doing as u64)
    }

    fn kind(bits: u64) -> Activity {
        // The three bits are always one of the five kinds, because only `new` writes them.
        let at = usize::try_from(bits & 0b111).unwrap_or_default();
        Self::KINDS.get(at).copied().unwrap_or(Activity::Answering)
    }

    pub(super) fn position(self) -> Position {
        (Self::kind(self.0), self.0 >> 6)
    }

    pub(super) fn sorted_as(self) -> Activity {
        Self::kind(self.0 >> 3)
    }
}

// === impl Standing ===

impl ConnectionState {
    /// Creates the state of a connection at this position. `stamps` counts the state changes of all connections.
    pub(super) fn new(position: Position, stamps: Arc<AtomicU64>) -> Self {
        Self {
            bits: AtomicU64::new(PackedState::new(position, position.0).0),
            stamps,
        }
    }

    /// Changes what the connection is doing. Returns whether the table has to sort it again, by
    /// `EvictionTable::order_again`.
    #[must_use]
    pub(super) fn set(&self, doing: Activity) -> bool {
        let stamp = self.stamps.fetch_add(1, Ordering::Relaxed);
        let changed = |bits| PackedState::new((doing, stamp), PackedState(bits).sorted_as()).0;
        let before = self.bits.load(Ordering::Relaxed);
        let exchanged = self.bits.compare_exchange(
            before,
            changed(before),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        let before = match exchanged {
            Ok(before) => before,
            // The table is sorting the connection at this moment.
            Err(_) => self
                .bits
                .update(Ordering::AcqRel, Ordering::Acquire, changed),
        };
        doing < PackedState(before).sorted_as()
    }

    pub(super) fn get(&self) -> PackedState {
        PackedState(self.bits.load(Ordering::Acquire))
    }

    /// Records the kind by which the table sorts the connection. Returns `false` if the connection's state has changed
    /// since `before`.
    pub(super) fn order(&self, before: PackedState) -> bool {
        let position = before.position();
        let after = PackedState::new(position, position.0);
        let order = (Ordering::AcqRel, Ordering::Acquire);
        self.bits
            .compare_exchange(before.0, after.0, order.0, order.1)
            .is_ok()
    }
}
