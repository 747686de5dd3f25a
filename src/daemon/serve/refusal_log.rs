//! Logs the refusals of users that may not connect, in a way that such users cannot fill the log.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tracing::{debug, info};

use crate::policy::Peer;

/// The users whose refusal has been logged.
#[derive(Debug, Default)]
pub struct RefusalLog(Mutex<BTreeSet<u32>>);

impl RefusalLog {
    /// Logs the refusal of a user that no rule names: the first one at info, further ones at debug.
    pub(super) fn log(&self, peer: &Peer) {
        const REMEMBERED: usize = 1_024;
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() < REMEMBERED && users.insert(peer.caller.uid) {
            info!(
                peer.uid = peer.caller.uid,
                peer.pid,
                "refused: not the daemon's user, and no rule allows it; further refusals of it are logged at debug"
            );
        } else {
            debug!(
                peer.uid = peer.caller.uid,
                peer.pid, "refused: not the daemon's user, and no rule allows it"
            );
        }
    }
}
