//! A queue for keyring calls: at most one process talks to the keyring, however many calls are waiting.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The queue in which calls take turns.
#[derive(Debug, Default)]
pub(super) struct CallQueue {
    state: Mutex<State>,
    changed: Condvar,
}

/// The call had to wait too long, or the previous call exceeded its time limit: the keyring hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TurnTimedOut;

#[derive(Debug, Default)]
struct State {
    busy: bool,
    /// The number of calls that exceeded their time limit.
    late: u64,
}

impl CallQueue {
    /// Makes a call when no other is running; `call` also returns whether it exceeded its time limit. If it did, all
    /// waiting calls fail with it, since each of them would exceed its limit as well, one after the other. A waiting
    /// call fails after `limit` in any case.
    pub(super) fn run<T>(
        &self,
        limit: Duration,
        call: impl FnOnce() -> (T, bool),
    ) -> Result<T, TurnTimedOut> {
        self.take(limit)?;
        let (result, late) = call();
        let mut state = self.lock();
        state.busy = false;
        state.late += u64::from(late);
        drop(state);
        self.changed.notify_all();
        Ok(result)
    }

    fn take(&self, limit: Duration) -> Result<(), TurnTimedOut> {
        let state = self.lock();
        let late = state.late;
        let busy = |state: &mut State| state.busy && state.late == late;
        let waited = self.changed.wait_timeout_while(state, limit, busy);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.busy || state.late != late {
            return Err(TurnTimedOut);
        }
        state.busy = true;
        Ok(())
    }

    /// No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a test without a thread may panic"
    )]

    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    /// Longer than any test takes.
    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn keyring_calls_run_one_after_the_other() {
        let turn = Arc::new(CallQueue::default());
        let running = Arc::new(AtomicUsize::new(0));
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let (turn, running) = (Arc::clone(&turn), Arc::clone(&running));
                let call = move || {
                    let others = running.fetch_add(1, Ordering::SeqCst);
                    thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                    (others, false)
                };
                thread::spawn(move || turn.run(LONG, call))
            })
            .collect();
        for call in calls {
            assert_eq!(call.join().unwrap(), Ok(0));
        }
    }

    #[test]
    fn callers_queued_behind_a_late_keyring_call_fail_with_it() {
        let turn = Arc::new(CallQueue::default());
        let (go, gate) = channel::<()>();
        let (begin, begun) = channel();
        let first = Arc::clone(&turn);
        let first = thread::spawn(move || {
            first.run(LONG, || {
                begin.send(()).unwrap();
                (gate.recv(), true)
            })
        });
        begun.recv().unwrap();
        assert_eq!(turn.run(Duration::ZERO, || ((), false)), Err(TurnTimedOut));
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let turn = Arc::clone(&turn);
                thread::spawn(move || turn.run(LONG, || ((), false)))
            })
            .collect();
        // A thread that comes after the late call gets a turn, so most threads must be waiting by now.
        while Arc::strong_count(&turn) < 6 {
            thread::yield_now();
        }
        drop(go);
        assert!(first.join().unwrap().is_ok());
        let ended: Vec<_> = waiting.into_iter().map(|w| w.join().unwrap()).collect();
        assert!(
            ended
                .iter()
                .all(|end| [Ok(()), Err(TurnTimedOut)].contains(end))
        );
        assert_eq!(turn.run(Duration::ZERO, || (3, false)), Ok(3));
    }
}
