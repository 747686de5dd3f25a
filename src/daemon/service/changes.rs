//! Changes of the whole daemon, which are carried out one at a time.

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
    /// Read the configuration again.
    Reload(ReloadRequest),
    /// Lock or unlock the store of encrypted files.
    Lock(LockRequest),
}

/// A request to read the configuration again.
pub struct ReloadRequest {
    /// Identifies the daemon that the request is meant for.
    pub query: ReloadQuery,
    /// When the request came.
    pub asked: Instant,
    /// Receives the changes and the source of the configuration.
    pub done: oneshot::Sender<Result<(Reloaded, Source), Problem>>,
}

/// A request to lock or unlock the store of encrypted files.
pub struct LockRequest {
    /// The identity that opens the store's records. `None` locks the store.
    pub identity: Option<Identity>,
    /// Receives the profiles whose credential is in the store.
    pub done: oneshot::Sender<Result<Vec<Arc<Handle>>, Problem>>,
}

/// Returns the problem of a caller whose change is no longer carried out.
pub(super) fn stopping() -> Problem {
    Problem::new(Code::Unavailable).with_detail("the daemon is stopping")
}
