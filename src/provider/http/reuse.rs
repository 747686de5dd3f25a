//! Reuses connections within a burst of attempts, and detects reused connections that are dead.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// The maximum number of idle connections to one origin. In a burst the next attempt soon takes each.
const MAX_IDLE: usize = 8;

/// The time after which an idle connection is closed. The client checks once in this time, so a connection is idle
/// for at most twice as long: 5 s.
pub(super) const IDLE: Duration = Duration::from_millis(2_500);

/// The maximum number of origins with kept connections. It limits idle connections to 128 descriptors.
const MAX_ORIGINS: usize = 16;

static ORIGINS: Semaphore = Semaphore::const_new(MAX_ORIGINS);

tokio::task_local! {
    /// Whether a connection was opened for the request.
    static OPENED: Cell<bool>;
}

/// A permit to keep the connections to one origin.
#[derive(Debug, Default)]
pub(super) struct IdlePermit(Mutex<Option<SemaphorePermit<'static>>>);

/// Limits the idle connections of all clients to the number of attempts that may run at once: if descriptors are
/// scarce, attempts need them. Call this once, before the first client is built.
pub fn limit_idle(attempts: usize) {
    ORIGINS.forget_permits(MAX_ORIGINS - origins_for(attempts));
}

fn origins_for(attempts: usize) -> usize {
    (attempts / MAX_IDLE).min(MAX_ORIGINS)
}

impl IdlePermit {
    /// Returns the number of idle connections that a client keeps: several if profiles share it, otherwise none. A
    /// single profile sends its issuer a request only every few minutes.
    pub(super) fn max_idle(&self, is_shared: bool) -> usize {
        let mut permit = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_shared && permit.is_none() {
            *permit = ORIGINS.try_acquire().ok();
        }
        let keeps = is_shared && permit.is_some();
        if keeps { MAX_IDLE } else { 0 }
    }
}

/// Records that a connection was opened.
pub(super) fn note_opened() {
    // The request may have used another connection that became free first. Then a separate task opens this one,
    // without this value.
    let _: Result<(), _> = OPENED.try_with(|it| it.set(true));
}

/// Sends a request. Also returns whether it used an existing connection.
pub(super) async fn watched<T>(send: impl Future<Output = T>) -> (T, bool) {
    let watched = async {
        let result = send.await;
        (result, !OPENED.with(Cell::get))
    };
    OPENED.scope(Cell::new(false), watched).await
}

#[cfg(test)]
mod tests;
