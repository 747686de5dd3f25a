//! One call at a time, with a limit. Each is on a thread of its own that ends with it; one that does not come back in
//! time keeps its thread, and as long as it does so no other is begun: at most one thread hangs, however often is asked.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Where calls take turns.
pub(super) struct Turn {
    limit: Duration,
    shared: Arc<Shared>,
}

/// Why a call has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    /// It did not end in time, or was not begun because an earlier one has not ended.
    Limit,
    /// The system has no thread for it.
    NoThread,
}

#[derive(Default)]
struct Shared {
    now: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Free,
    /// A call runs, and somebody waits for it.
    Busy,
    /// A call runs that nobody waits for any more.
    Stuck,
}

impl Turn {
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            limit,
            shared: Arc::default(),
        }
    }

    /// Runs a call that may block for ever. The limit counts from here: waiting for one's turn is a part of it. What a
    /// call returns too late is dropped.
    pub(super) fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Late> {
        let until = now() + self.limit;
        self.take(until)?;
        let (sender, result) = sync_channel(1);
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name("keyring".to_owned());
        let begun = thread.spawn(move || {
            // There is room for it, so this does not block; and who asked may have gone.
            let _: Result<(), _> = sender.send(call());
            shared.set(State::Free);
        });
        if begun.is_err() {
            self.shared.set(State::Free);
            return Err(Late::NoThread);
        }
        self.wait(until, &result)
    }

    /// Waits until no other call runs, and takes the turn.
    fn take(&self, until: Instant) -> Result<(), Late> {
        let shared = &self.shared;
        let left = until.saturating_duration_since(now());
        let (mut state, _) = shared
            .changed
            .wait_timeout_while(shared.lock(), left, |state| *state == State::Busy)
            .unwrap_or_else(PoisonError::into_inner);
        if *state != State::Free {
            return Err(Late::Limit);
        }
        *state = State::Busy;
        Ok(())
    }

    fn wait<T>(&self, until: Instant, result: &Receiver<T>) -> Result<T, Late> {
        if let Ok(result) = result.recv_timeout(until.saturating_duration_since(now())) {
            return Ok(result);
        }
        // It may have come just now. If not, the call has not given back its turn either: that comes after the result.
        let mut state = self.shared.lock();
        result.try_recv().map_err(|_| {
            *state = State::Stuck;
            self.shared.changed.notify_all();
            Late::Limit
        })
    }
}

#[cfg(test)]
impl Turn {
    pub(super) const fn limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    pub(super) fn wait_until_free(&self) {
        let busy = |state: &mut State| *state != State::Free;
        let free = self.shared.changed.wait_while(self.shared.lock(), busy);
        drop(free.unwrap());
    }
}

impl Shared {
    /// Nothing panics while it is locked.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.lock() = state;
        self.changed.notify_all();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a person's call may take, and no lifetime: it ends while the machine is awake"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;

    use super::*;

    /// Longer than any test takes.
    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn a_call_has_its_result() {
        let turn = Turn::new(LONG);
        assert_eq!(turn.run(|| 1), Ok(1));
        assert_eq!(turn.run(|| 2), Ok(2));
    }

    #[test]
    fn while_one_hangs_no_other_is_begun_and_all_fail_until_it_ends() {
        let mut turn = Turn::new(Duration::from_millis(1));
        let (go, gate) = channel::<()>();
        let begun = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&begun);
        let hanging = turn.run(move || {
            count.fetch_add(1, Ordering::SeqCst);
            gate.recv()
        });
        assert_eq!(hanging, Err(Late::Limit));
        // With a limit that no test outlives: what fails now fails at once.
        turn.limit(LONG);
        for _ in 0..20 {
            let count = Arc::clone(&begun);
            let call = move || count.fetch_add(1, Ordering::SeqCst);
            assert_eq!(turn.run(call), Err(Late::Limit));
        }
        go.send(()).unwrap();
        turn.wait_until_free();
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        assert_eq!(turn.run(|| 3), Ok(3));
    }

    #[test]
    fn who_waits_for_a_turn_fails_together_with_the_call_that_hangs() {
        let turn = Arc::new(Turn::new(LONG));
        let shared = Arc::clone(&turn.shared);
        shared.set(State::Busy);
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let turn = Arc::clone(&turn);
                thread::spawn(move || turn.run(|| ()))
            })
            .collect();
        shared.set(State::Stuck);
        for call in waiting {
            assert_eq!(call.join().unwrap(), Err(Late::Limit));
        }
    }

    #[test]
    fn calls_take_turns() {
        let turn = Arc::new(Turn::new(LONG));
        let running = Arc::new(AtomicUsize::new(0));
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let (turn, running) = (Arc::clone(&turn), Arc::clone(&running));
                let call = move || {
                    let others = running.fetch_add(1, Ordering::SeqCst);
                    thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                    others
                };
                thread::spawn(move || turn.run(call))
            })
            .collect();
        for call in calls {
            assert_eq!(call.join().unwrap(), Ok(0));
        }
    }
}
