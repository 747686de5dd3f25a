//! The time limit of each examination.

use std::time::Duration;

use crate::offload::{self, NotStarted};

/// Time limit of one examination: a network, a keyring or a disk may hang for ever.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// The reason why an examination has no result.
#[derive(Debug)]
pub(super) enum NoResult {
    /// It did not finish within the limit.
    Late,
    /// The system refused a thread for it.
    Refused(NotStarted),
}

/// Runs work that may block forever on a thread of its own, within the limit.
pub(super) async fn within<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NoResult> {
    match tokio::time::timeout(LIMIT, offload::run(work)).await {
        Ok(done) => done.map_err(NoResult::Refused),
        Err(_) => Err(NoResult::Late),
    }
}
