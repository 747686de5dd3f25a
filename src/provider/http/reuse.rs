//! Connections that are used again within a burst of attempts, and those among them that turn out to be dead.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use reqwest::ClientBuilder;
use tokio::sync::{Semaphore, SemaphorePermit};
use tower_layer::Layer;
use tower_service::Service;

/// How many connections to one origin may be idle. In a burst each is soon taken by the next attempt.
const MAX_IDLE: usize = 8;

/// After how long an idle connection is closed. The client looks once in this time, so that none is idle for longer than
/// twice of it: 5 s.
const IDLE: Duration = Duration::from_millis(2_500);

/// For how many origins connections are kept at a time, at most, so that idle ones never have more than 128 descriptors.
const MAX_ORIGINS: usize = 16;

static ORIGINS: Semaphore = Semaphore::const_new(MAX_ORIGINS);

tokio::task_local! {
    /// Whether a connection was opened for the request.
    static OPENED: Cell<bool>;
}

/// Notes that a connection was opened.
#[derive(Debug, Clone)]
struct NoteOpened;

/// A connector that notes each connection that it opens.
#[derive(Debug, Clone)]
struct Noting<S>(S);

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
    /// Has a client keep connections for a moment if several profiles use it, or none: to the issuer of a single profile there
    /// are minutes between two requests.
    pub(super) fn apply(&self, builder: ClientBuilder, is_shared: bool) -> ClientBuilder {
        let mut permit = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_shared && permit.is_none() {
            *permit = ORIGINS.try_acquire().ok();
        }
        let keeps = is_shared && permit.is_some();
        builder
            .connector_layer(NoteOpened)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(if keeps { MAX_IDLE } else { 0 })
    }
}

/// Sends a request. Returns with the result whether it went over a connection that had been used before.
pub(super) async fn watched<T>(send: impl Future<Output = T>) -> (T, bool) {
    let watched = async {
        let result = send.await;
        (result, !OPENED.with(Cell::get))
    };
    OPENED.scope(Cell::new(false), watched).await
}

// === impl Noting ===

impl<S> Layer<S> for NoteOpened {
    type Service = Noting<S>;

    fn layer(&self, connector: S) -> Noting<S> {
        Noting(connector)
    }
}

impl<S, R> Service<R> for Noting<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let opening = self.0.call(target);
        Box::pin(async move {
            let opened = opening.await?;
            // Another connection may have become free first. Then this one is opened by a task of its own, which has no such
            // value.
            let _: Result<(), _> = OPENED.try_with(|it| it.set(true));
            Ok(opened)
        })
    }
}

#[cfg(test)]
mod tests;
