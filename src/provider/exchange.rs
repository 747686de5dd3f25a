//! Reports when an attempt begins its next exchange (one request and its answer), so that another thread can enforce
//! the deadline of each exchange.

use tokio::sync::watch;

tokio::task_local! {
    static BEGUN: watch::Sender<u32>;
}

/// Runs an attempt; `begun` changes with each exchange that the attempt begins.
pub(super) async fn watched<T>(begun: watch::Sender<u32>, attempt: impl Future<Output = T>) -> T {
    BEGUN.scope(begun, attempt).await
}

/// Reports that an exchange begins.
pub(super) fn begins() {
    // The task-local value is missing if no thread observes the attempt.
    let _: Result<(), _> = BEGUN.try_with(|begun| begun.send_modify(|exchanges| *exchanges += 1));
}
