//! The tasks and timers that a keeper waits for.

use crate::clock::Clock;
use crate::fault::{Fault, FaultKind};
use crate::instant::BootInstant;
use crate::lifecycle::credentials::{CallEnd, NotLoaded};
use crate::store::source::Loaded;

/// A task whose result is awaited. Dropping it aborts the task.
pub(super) struct Running<T>(tokio::task::JoinHandle<T>);

impl<T: Send + 'static> Running<T> {
    pub(super) fn start(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The running step of an attempt, with the number of the attempt.
pub(super) enum RunningStep {
    /// A read of the store.
    Load(u64, Running<Loaded>),
    /// A call to the issuer.
    Call(u64, Running<CallEnd>),
}

/// The result of a step of an attempt.
pub(super) enum StepResult {
    /// The result of a read of the store.
    Loaded(Loaded),
    /// The result of a call to the issuer.
    Called(CallEnd),
}

/// Waits for the running step to end, and returns its result with the number of the attempt.
pub(super) async fn ended(work: &mut Option<RunningStep>) -> (u64, StepResult) {
    match work {
        None => std::future::pending().await,
        Some(RunningStep::Load(attempt, task)) => {
            (*attempt, StepResult::Loaded(loaded(task).await))
        }
        Some(RunningStep::Call(attempt, task)) => {
            let end = (&mut task.0).await;
            // Unreachable: a task is not aborted while the keeper waits for it, and a panic would have ended the
            // process.
            let end = end.unwrap_or_else(|_| CallEnd::Failed {
                sent: None,
                fault: Fault::new(FaultKind::Connect, "the attempt was lost"),
            });
            (*attempt, StepResult::Called(end))
        }
    }
}

/// Waits for the result of a read of the store outside the attempt.
pub(super) async fn rechecked(task: &mut Option<Running<Loaded>>) -> Loaded {
    match task {
        None => std::future::pending().await,
        Some(task) => loaded(task).await,
    }
}

async fn loaded(task: &mut Running<Loaded>) -> Loaded {
    let lost = |_| Err(NotLoaded::lost("the store did not answer"));
    (&mut task.0).await.unwrap_or_else(lost)
}

/// Waits until `wake`, the next moment to act, or forever if there is none.
pub(super) async fn alarm(clock: &dyn Clock, wake: Option<BootInstant>) {
    match wake {
        None => std::future::pending().await,
        Some(at) => clock.sleep_until(at).await,
    }
}
