//! What a keeper waits for.

use super::super::attempt::End;
use crate::clock::Clock;
use crate::instant::BootInstant;
use crate::store::source::{Loaded, NotLoaded};

/// A task whose result is awaited, and which is aborted when nobody waits any more.
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

/// The end of the attempt that runs, with its number.
pub(super) async fn landing(flight: &mut Option<(u64, Running<End>)>) -> (u64, End) {
    match flight {
        None => std::future::pending().await,
        Some((attempt, task)) => {
            let end = (&mut task.0).await;
            // A flight is neither aborted while it is waited for nor does it panic (the process would have ended).
            (*attempt, end.unwrap_or_else(|_| End::lost()))
        }
    }
}

/// What a look into the store found.
pub(super) async fn rechecked(task: &mut Option<Running<Loaded>>) -> Loaded {
    match task {
        None => std::future::pending().await,
        Some(task) => (&mut task.0)
            .await
            .unwrap_or_else(|_| Err(NotLoaded::lost("the store did not answer"))),
    }
}

/// The moment at which there is something to do or to show.
pub(super) async fn alarm(clock: &dyn Clock, wake: Option<BootInstant>) {
    match wake {
        None => std::future::pending().await,
        Some(at) => clock.sleep_until(at).await,
    }
}
