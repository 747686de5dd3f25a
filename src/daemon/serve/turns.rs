//! Bounds how many requests of a connection and of a user one turn of the event loop serves.
//!
//! All connections share one thread. A connection that pipelines always has its next request ready, and could be served
//! until the others are late. So after a few requests it must wait until the loop has polled the other connections.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Maximum number of requests of one connection without a pause. Clients other than benchmarks do not pipeline more.
const OF_A_CONNECTION: u32 = 4;

/// Maximum number of requests of one user in one turn, over all of its connections.
const OF_A_USER: u32 = 64;

/// An answer that is made for one request only counts as one more request per this many bytes. Making a list of
/// hundreds of profiles takes as long as serving dozens of tokens.
const BYTES: usize = 1_024;

/// The number of the current turn. It counts only turns at whose end a request waited.
#[derive(Debug, Default)]
pub(super) struct Turns(AtomicU32);

/// Number of requests of one connection since it last had none pending.
#[derive(Debug, Default)]
pub(super) struct PipelinedCount(AtomicU32);

/// The requests of one user in one turn: the turn's number in the upper half, the count in the lower half.
#[derive(Debug, Default)]
pub(super) struct UserTurnCount(AtomicU64);

/// The turn in which a request exceeded its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LoopTurn(u32);

// === impl Turns ===

impl Turns {
    /// Counts a request. If the request has to wait, returns the turn whose end it waits for.
    pub(super) fn count(
        &self,
        connection: &PipelinedCount,
        user: &UserTurnCount,
    ) -> Option<LoopTurn> {
        let turn = LoopTurn(self.0.load(Ordering::Relaxed));
        // Two requests that are counted at the same time may count as one, which the bound tolerates.
        let of_connection = connection.0.load(Ordering::Relaxed).saturating_add(1);
        connection.0.store(of_connection, Ordering::Relaxed);
        let of_user = user.0.load(Ordering::Relaxed);
        let of_user = match LoopTurn::of(of_user) == turn {
            true => of_user.saturating_add(1),
            false => turn.first(),
        };
        user.0.store(of_user, Ordering::Relaxed);
        let is_over =
            of_connection > OF_A_CONNECTION || of_user > turn.first() + u64::from(OF_A_USER) - 1;
        if is_over {
            connection.pause();
        }
        is_over.then_some(turn)
    }

    /// Waits until the event loop has polled the other connections.
    pub(super) async fn end_of(&self, turn: LoopTurn) {
        tokio::task::yield_now().await;
        // The first waiting request ends the turn for all.
        let _: Result<_, _> = self.0.compare_exchange(
            turn.0,
            turn.0.wrapping_add(1),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }
}

// === impl Turn ===

impl LoopTurn {
    const fn of(in_turn: u64) -> Self {
        Self((in_turn >> 32) as u32)
    }

    /// Returns the count of one request in this turn.
    fn first(self) -> u64 {
        u64::from(self.0) << 32 | 1
    }
}

// === impl InTurn ===

impl UserTurnCount {
    /// Counts the cost of a long answer beyond that of a short one.
    pub(super) fn made(&self, bytes: usize) {
        // A cost above the bound of a turn makes no difference.
        let more = (bytes / BYTES).min(OF_A_USER as usize) as u64;
        if more > 0 {
            let before = self.0.load(Ordering::Relaxed);
            self.0.store(before + more, Ordering::Relaxed);
        }
    }
}

// === impl Unpaused ===

impl PipelinedCount {
    /// Records that the connection has no further request for now.
    pub(super) fn pause(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_gets_a_bounded_number_of_requests_until_it_pauses() {
        let (turns, connection) = (Turns::default(), PipelinedCount::default());
        for _ in 0..3 {
            let user = UserTurnCount::default();
            for _ in 0..OF_A_CONNECTION {
                assert_eq!(turns.count(&connection, &user), None);
            }
            assert_eq!(turns.count(&connection, &user), Some(LoopTurn(0)));
        }
        let user = UserTurnCount::default();
        for _ in 0..OF_A_USER {
            assert_eq!(turns.count(&connection, &user), None);
            connection.pause();
        }
        assert_eq!(turns.count(&connection, &user), Some(LoopTurn(0)));
    }

    #[tokio::test]
    async fn a_user_gets_a_bounded_number_of_requests_per_turn() {
        let (turns, greedy, other) = (
            Turns::default(),
            UserTurnCount::default(),
            UserTurnCount::default(),
        );
        for turn in 0..3 {
            for _ in 0..OF_A_USER {
                assert_eq!(turns.count(&PipelinedCount::default(), &greedy), None);
            }
            for _ in 0..10 {
                let over = turns.count(&PipelinedCount::default(), &greedy);
                assert_eq!(over, Some(LoopTurn(turn)));
                assert_eq!(turns.count(&PipelinedCount::default(), &other), None);
            }
            // Of several waiting requests, the first one ends the turn.
            tokio::join!(turns.end_of(LoopTurn(turn)), turns.end_of(LoopTurn(turn)));
        }
    }

    #[test]
    fn a_long_answer_counts_as_several_requests() {
        let (turns, user) = (Turns::default(), UserTurnCount::default());
        let counts = |bytes| {
            let over = turns.count(&PipelinedCount::default(), &user);
            user.made(bytes);
            over
        };
        assert_eq!(counts(BYTES * 62), None);
        assert_eq!(counts(BYTES - 1), None, "the 64th");
        assert_eq!(counts(usize::MAX), Some(LoopTurn(0)));
        assert_eq!(counts(usize::MAX), Some(LoopTurn(0)));
    }

    #[test]
    fn the_turn_counter_may_wrap_around() {
        let (turns, user) = (Turns(AtomicU32::new(u32::MAX)), UserTurnCount::default());
        assert_eq!(turns.count(&PipelinedCount::default(), &user), None);
        turns.0.store(0, Ordering::Relaxed);
        for _ in 0..OF_A_USER {
            assert_eq!(turns.count(&PipelinedCount::default(), &user), None);
        }
        assert_eq!(
            turns.count(&PipelinedCount::default(), &user),
            Some(LoopTurn(0))
        );
    }
}
