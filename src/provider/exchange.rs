//! Says when an attempt begins its next exchange (one request and its answer), so that another thread can keep the deadline
//! of each one.

use tokio::sync::watch;

tokio::task_local! {
    static BEGUN: watch::Sender<u32>;
}

/// Runs an attempt; `begun` changes with each exchange that it begins.
pub(super) async fn watched<T>(begun: watch::Sender<u32>, attempt: impl Future<Output = T>) -> T {
    BEGUN.scope(begun, attempt).await
}

/// Says that an exchange begins.
pub(super) fn begins() {
    // Without an observer there is no such value.
    let _: Result<(), _> = BEGUN.try_with(|begun| begun.send_modify(|exchanges| *exchanges += 1));
}
