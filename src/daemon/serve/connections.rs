//! The open connections. Limits their number, tells a connection to leave when its place is needed or its peer has hung
//! up, and ends all of them when the daemon stops.

use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot, watch};

use super::connection_state::{Activity, ConnectionState};
use super::hangups::Hangups;
use super::table::{AdmittedConnection, Table};
use super::turns::{LoopTurn, PipelinedCount, Turns, UserTurnCount};
use super::waiting::{Access, Waiting};
use crate::policy::AccessContext;

mod drain;

pub use super::eviction::Limits;
pub use super::table::LeaveReason;
pub use drain::FIRST_REQUEST;

/// Maximum number of connections in all.
pub const MAX_TOTAL: usize = 4_096;

/// Maximum number of connections of one user.
pub const MAX_PER_UID: usize = 3_072;

/// Maximum number of accepted connections that wait for a place, and of those that wait for their refusal. Each equals
/// the size of the kernel's backlog.
pub const MAX_WAITING: usize = 4_096;

/// Table of the open connections.
#[derive(Debug)]
pub struct Connections {
    table: Mutex<Table>,
    /// The accepted connections that wait for a place or for their refusal.
    waiting: Mutex<Waiting<UnixStream>>,
    /// Distinguishes the daemon's user and root, for whom places are reserved, from other users.
    gate: Option<AccessContext>,
    turns: Turns,
    /// `None` on a system that does not report hangups.
    hangups: Option<Hangups>,
    /// Whether the event loop has refused a connection since [`Connections::take_unwatched`].
    has_unwatched: AtomicBool,
    /// Notified when the last connection of a drain has ended.
    emptied: Notify,
    /// Whether the deadline of a drain has passed.
    overdue: watch::Sender<bool>,
}

/// A connection's place under the limits. Dropping it frees the place.
#[derive(Debug)]
pub struct ConnectionSlot {
    spot: Arc<ConnectionEntry>,
    uid: u32,
}

/// Shared state through which a connection and its requests inform the table.
#[derive(Debug)]
pub(super) struct ConnectionEntry {
    connections: Arc<Connections>,
    key: u64,
    standing: Arc<ConnectionState>,
    unpaused: PipelinedCount,
    /// Whether any request got an answer other than a server error.
    is_answered: AtomicBool,
    in_turn: Arc<UserTurnCount>,
}

// === impl Connections ===

impl Connections {
    /// Creates a table with these limits and no reserved places.
    pub fn new(total: usize, per_uid: usize) -> Arc<Self> {
        let limits = Limits {
            total,
            per_uid,
            kept: 0,
            leaving: 1,
            waiting: 0,
        };
        Arc::new(Self::with(limits, None, None))
    }

    /// Creates a table that can reserve places for our user and root, which `gate` identifies, and that notices when
    /// peers hang up. It has no places before [`Connections::limit`] is called. Call it on the event loop.
    pub fn shared(gate: AccessContext) -> Arc<Self> {
        Arc::new(Self::with(Limits::default(), Some(gate), Hangups::new()))
    }

    fn with(limits: Limits, gate: Option<AccessContext>, hangups: Option<Hangups>) -> Self {
        Self {
            table: Mutex::new(Table::new(limits)),
            waiting: Mutex::new(Waiting::new(limits.waiting)),
            gate,
            turns: Turns::default(),
            hangups,
            has_unwatched: AtomicBool::new(false),
            emptied: Notify::new(),
            overdue: watch::Sender::new(false),
        }
    }

    /// Changes the limits. Open connections stay, even if they exceed the new limits.
    pub fn limit(&self, limits: Limits) {
        self.lock().places.limit(limits);
        self.waiting().limit(limits.waiting);
    }

    /// Returns a place for a connection of `uid`, and a receiver that tells the connection to leave. Returns `None` if
    /// there is no free place and no connection that must make room.
    ///
    /// One channel serves all reasons to leave, because a connection polls it each time it wakes.
    pub fn admit(
        self: &Arc<Self>,
        uid: u32,
    ) -> Option<(ConnectionSlot, oneshot::Receiver<LeaveReason>)> {
        let is_ours = self.gate.is_some_and(|gate| gate.is_ours(uid));
        let AdmittedConnection {
            key,
            standing,
            in_turn,
            leave,
            displaces,
        } = self.lock().admit(uid, is_ours)?;
        if displaces {
            self.waiting().count_fruitless(Access::Allowed, uid);
        }
        let spot = ConnectionEntry {
            connections: Arc::clone(self),
            key,
            standing,
            unpaused: PipelinedCount::default(),
            is_answered: AtomicBool::new(false),
            in_turn,
        };
        let place = ConnectionSlot {
            spot: Arc::new(spot),
            uid,
        };
        Some((place, leave))
    }

    /// Returns the accepted connections that wait for a place or for their refusal.
    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting<UnixStream>> {
        // Ignore poisoning: no code that can panic runs under the lock, so the state is always consistent.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether connections that have lost their place must end before another one is accepted. They still have their
    /// descriptors.
    pub(super) fn must_wait(&self) -> bool {
        self.lock().must_wait()
    }

    /// Whether the event loop has refused to watch a connection since the last call.
    pub(super) fn take_unwatched(&self) -> bool {
        self.has_unwatched.load(Ordering::Relaxed)
            && self.has_unwatched.swap(false, Ordering::Relaxed)
    }

    /// Waits until the peers of some connections have hung up, and tells those connections to leave.
    pub(super) async fn hung_up(&self) {
        let Some(hangups) = &self.hangups else {
            return std::future::pending().await;
        };
        let gone = hangups.next().await;
        let mut table = self.lock();
        for key in gone {
            table.tell(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Ignore poisoning: no code that can panic runs under the lock, so the table is always consistent.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Place ===

impl ConnectionSlot {
    /// Returns the part of the place that requests share.
    pub(super) const fn spot(&self) -> &Arc<ConnectionEntry> {
        &self.spot
    }

    /// Records an answer other than a server error, so that the connection does not count as fruitless (see `waiting`).
    pub(super) fn note_answer(&self) {
        self.spot.is_answered.store(true, Ordering::Relaxed);
    }

    /// Counts a request. Returns the turn of the event loop whose end the request has to wait for, if the connection or
    /// its user has had enough requests in it.
    pub(super) fn count_request(&self) -> Option<LoopTurn> {
        let spot = &*self.spot;
        spot.connections.turns.count(&spot.unpaused, &spot.in_turn)
    }

    /// Waits for the end of a turn, and of later ones until the request is within the bounds.
    pub(super) async fn take_turn(&self, mut full: Option<LoopTurn>) {
        while let Some(turn) = full {
            self.spot.connections.turns.end_of(turn).await;
            // Count again in each turn. Otherwise the next turn would serve all waiting requests at once.
            full = self.count_request();
        }
    }
}

// === impl Spot ===

impl ConnectionEntry {
    /// Records what the connection is doing.
    pub(super) fn set(&self, doing: Activity) {
        if self.standing.set(doing) {
            self.connections.lock().places.order_again(self.key);
        }
    }

    /// Records the size of a part of an answer.
    pub(super) fn made(&self, bytes: usize) {
        self.in_turn.made(bytes);
    }

    /// Records that the connection has no further request for now.
    pub(super) fn pause(&self) {
        self.unpaused.pause();
    }

    /// Records that the event loop has refused to watch the connection.
    pub(super) fn note_unwatched(&self) {
        self.connections
            .has_unwatched
            .store(true, Ordering::Relaxed);
    }

    /// Tells the connection to leave when the peer of its `socket` hangs up.
    pub(super) fn leave_on_hangup(&self, socket: BorrowedFd<'_>) {
        if let Some(hangups) = &self.connections.hangups {
            hangups.add(socket, self.key);
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let ConnectionEntry {
            connections,
            key,
            is_answered,
            ..
        } = &*self.spot;
        if !is_answered.load(Ordering::Relaxed) {
            connections
                .waiting()
                .count_fruitless(Access::Allowed, self.uid);
        }
        if connections.lock().remove(*key, self.uid) {
            connections.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};
    use std::time::Duration;

    use super::*;

    /// An open connection that can be told to leave.
    struct Open {
        place: ConnectionSlot,
        leave: oneshot::Receiver<LeaveReason>,
    }

    impl Open {
        fn answers(&self) {
            self.place.spot().set(Activity::Answering);
        }
    }

    fn open(all: &Arc<Connections>, uid: u32) -> Option<Open> {
        let (place, leave) = all.admit(uid)?;
        Some(Open { place, leave })
    }

    fn told(open: &mut Open) -> Option<LeaveReason> {
        open.leave.try_recv().ok()
    }

    #[test]
    fn each_turn_serves_a_bounded_number_of_waiting_requests() {
        let all = Connections::new(1_000, 1_000);
        let open: Vec<_> = (0..200).map(|_| open(&all, 1).unwrap()).collect();
        let mut waiting: Vec<_> = open
            .iter()
            .map(|open| Box::pin(open.place.take_turn(open.place.count_request())))
            .collect();
        let mut context = Context::from_waker(Waker::noop());
        for left in [136, 72, 8, 0] {
            waiting.retain_mut(|turn| turn.as_mut().poll(&mut context).is_pending());
            assert_eq!(waiting.len(), left);
        }
    }

    #[test]
    fn one_user_cannot_take_every_connection_slot() {
        let all = Connections::new(4, 3);
        let hog: Vec<_> = (0..3).map(|_| open(&all, 1).unwrap()).collect();
        hog.iter().for_each(Open::answers);
        assert!(open(&all, 1).is_none());
        assert!(open(&all, 2).is_some());
    }

    #[test]
    fn an_evicted_connection_is_notified_once_to_close() {
        let all = Connections::new(4, 3);
        let mut others = [2, 1, 1, 1].map(|uid| open(&all, uid).unwrap());
        others[1].answers();
        let mut newest = open(&all, 1).unwrap();
        let left = others.each_mut().map(told);
        assert_eq!(left, [None, None, Some(LeaveReason::AtOnce), None]);
        assert_eq!(told(&mut newest), None);
        assert!(all.must_wait());
        // What this evicted connection does afterwards changes nothing.
        others[2].answers();
        others[2].place.spot().set(Activity::Idle);
        assert_eq!(all.lock().open, 5, "it has not ended yet");
    }

    #[test]
    fn connection_slots_are_reserved_for_the_daemon_user_and_root() {
        let limits = Limits {
            total: 4,
            per_uid: 4,
            kept: 2,
            leaving: 1,
            waiting: 0,
        };
        let gate = AccessContext {
            own_uid: 7,
            namespace: crate::policy::UserNamespace::Identity,
        };
        let all = Arc::new(Connections::with(limits, Some(gate), None));
        let others = [1, 2].map(|uid| open(&all, uid).unwrap());
        others.iter().for_each(Open::answers);
        assert!(open(&all, 3).is_none());
        assert!(
            [0, 7]
                .map(|uid| open(&all, uid))
                .iter()
                .all(Option::is_some)
        );
    }

    #[test]
    fn changing_the_limits_keeps_open_connections() {
        let limit = |total, per_uid| Limits {
            total,
            per_uid,
            kept: 0,
            leaving: 2,
            waiting: 0,
        };
        let all = Connections::new(2, 2);
        let mut busy = [1, 1].map(|uid| open(&all, uid).unwrap());
        busy.iter().for_each(Open::answers);
        assert!(open(&all, 2).is_none());
        all.limit(limit(3, 2));
        let mut third = open(&all, 2).unwrap();
        all.limit(limit(1, 1));
        assert_eq!(busy.each_mut().map(told), [None, None]);
        assert_eq!(told(&mut third), None);
        drop(open(&all, 2).unwrap());
        assert_eq!(told(&mut third), Some(LeaveReason::AtOnce));
        drop((busy, third));
        assert!(open(&all, 1).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_notifies_every_connection_including_late_ones_and_waits() {
        let all = Connections::new(4, 4);
        let [mut a, mut b] = [1, 2].map(|uid| open(&all, uid).unwrap());
        b.answers();
        let mut drain = std::pin::pin!(all.drain(Duration::from_secs(5)));
        let mut within = async |secs| tokio::time::timeout(secs, drain.as_mut()).await.ok();
        assert_eq!(within(Duration::from_secs(1)).await, None);
        let mut late = open(&all, 1).unwrap();
        for open in [&mut a, &mut b, &mut late] {
            assert_eq!(told(open), Some(LeaveReason::AfterThis));
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
    fn a_closed_connection_frees_its_slot() {
        let all = Connections::new(1, 1);
        for _ in 0..3 {
            let open = open(&all, 1).unwrap();
            open.answers();
            assert!(all.admit(1).is_none());
        }
        assert!(all.lock().is_empty());
    }
}
