//! What changes the whole daemon, and is carried out one at a time.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::age_file::Identity;
use crate::daemon::keep::handle::Handle;
use crate::problem::{Code, Problem};
use crate::query::Reloaded;
use crate::wire::reload::{ReloadQuery, Source};

/// A change of the whole daemon.
pub enum Change {
    /// Another configuration may be put in force.
    Reload(ReloadRequest),
    /// The store of encrypted files is locked or unlocked.
    Lock(LockRequest),
}

/// A request to read the configuration again.
pub struct ReloadRequest {
    /// The daemon that it is meant for.
    pub query: ReloadQuery,
    /// When it came.
    pub asked: Instant,
    /// Answered with what changed, and the source of the configuration.
    pub done: oneshot::Sender<Result<(Reloaded, Source), Problem>>,
}

/// A request to lock the store of encrypted files, or to unlock it.
pub struct LockRequest {
    /// What opens its records; `None` locks it.
    pub identity: Option<Identity>,
    /// Answered with the profiles that live from the store.
    pub done: oneshot::Sender<Result<Vec<Arc<Handle>>, Problem>>,
}

/// The problem of a caller whose change is not carried out any more.
pub(super) fn stopping() -> Problem {
    Problem::new(Code::Unavailable).with_detail("the daemon is stopping")
}
