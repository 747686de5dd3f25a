//! Connections that are used again within a burst of attempts, and those among them that turn out to be dead.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// How many connections to one origin may be idle. In a burst each is soon taken by the next attempt.
const MAX_IDLE: usize = 8;

/// After how long an idle connection is closed. The client looks once in this time, so that none is idle for longer than
/// twice of it: 5 s.
pub(super) const IDLE: Duration = Duration::from_millis(2_500);

/// For how many origins connections are kept at a time, at most, so that idle ones never have more than 128 descriptors.
const MAX_ORIGINS: usize = 16;

static ORIGINS: Semaphore = Semaphore::const_new(MAX_ORIGINS);

tokio::task_local! {
    /// Whether a connection was opened for the request.
    static OPENED: Cell<bool>;
}

/// Permission to keep the connections to one origin.
#[derive(Debug, Default)]
pub(super) struct Keeping(Mutex<Option<SemaphorePermit<'static>>>);

/// Has clients keep no more idle connections than this many attempts may run at once: where few descriptors are allowed,
/// others need those. Call it once, before the first client is built.
pub fn limit_idle(attempts: usize) {
    ORIGINS.forget_permits(MAX_ORIGINS - origins_for(attempts));
}

fn origins_for(attempts: usize) -> usize {
    (attempts / MAX_IDLE).min(MAX_ORIGINS)
}

impl Keeping {
    /// How many connections a client keeps for a moment: some if several profiles use it, or none. To the issuer of a single
    /// profile there are minutes between two requests.
    pub(super) fn max_idle(&self, is_shared: bool) -> usize {
        let mut permit = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_shared && permit.is_none() {
            *permit = ORIGINS.try_acquire().ok();
        }
        let keeps = is_shared && permit.is_some();
        if keeps { MAX_IDLE } else { 0 }
    }
}

/// Notes that a connection was opened.
pub(super) fn note_opened() {
    // Another connection may have become free first. Then this one is opened by a task of its own, which has no such
    // value.
    let _: Result<(), _> = OPENED.try_with(|it| it.set(true));
}

/// Sends a request. Returns with the result whether it went over a connection that had been used before.
pub(super) async fn watched<T>(send: impl Future<Output = T>) -> (T, bool) {
    let watched = async {
        let result = send.await;
        (result, !OPENED.with(Cell::get))
    };
    OPENED.scope(Cell::new(false), watched).await
}

#[cfg(test)]
mod tests;
