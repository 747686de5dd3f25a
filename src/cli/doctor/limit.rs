//! The time limit of each examination.

use std::time::Duration;

use crate::offload::{self, Refused};

/// How long each thing may take that is looked at: a network, a keyring or a disk may never answer.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// Why something could not be looked at.
#[derive(Debug)]
pub(super) enum Missed {
    /// It did not answer inside the limit.
    Late,
    /// There was no thread to look at it.
    Refused(Refused),
}

/// Runs what may block for ever off this thread, inside the limit.
pub(super) async fn within<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Missed> {
    match tokio::time::timeout(LIMIT, offload::run(work)).await {
        Ok(done) => done.map_err(Missed::Refused),
        Err(_) => Err(Missed::Late),
    }
}
