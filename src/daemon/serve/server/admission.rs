//! Which accepted connections are served, and which are refused.

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use tracing::{debug, warn};

use super::super::super::service::Door;
use super::super::faults::Faults;
use super::super::memory;
use super::super::peers;
use super::Server;
use crate::problem::{Code, Problem};

// === impl Server ===

impl Server {
    /// Serves or refuses a connection. Returns how much that costs, in refusals.
    pub(super) fn admit(
        self: &Arc<Self>,
        stream: UnixStream,
        door: Door,
        faults: &mut Faults,
    ) -> u32 {
        let roster = &self.service.roster;
        let peer = match peers::of(&stream, roster.gate(), |uid| roster.knows_groups_of(uid)) {
            Ok(peer) => peer,
            Err(error) => {
                if faults.unknown.came(self.service.clock.now().boot) {
                    warn!(%error, "refused: the kernel does not say who it is");
                }
                return 1;
            }
        };
        if !self.service.may_connect(&peer.caller, door) {
            self.refused.log(&peer);
            self.refusals.forbid(stream, || roster.stranger());
            return 1;
        }
        let Some((place, leave)) = self.connections.admit(peer.caller.uid) else {
            if faults.full.came(self.service.clock.now().boot) {
                warn!(
                    peer.uid = peer.caller.uid,
                    "refused: this user, or all users together, have as many connections as there may be"
                );
            } else {
                debug!(peer.uid = peer.caller.uid, "refused: too many connections");
            }
            let problem =
                Problem::new(Code::Unavailable).with_detail("the daemon has too many connections");
            self.refusals.refuse(stream, &problem);
            return 1;
        };
        memory::limit_send_buffer(&stream);
        let stream = match tokio::net::UnixStream::from_std(stream) {
            Ok(stream) => stream,
            // The event loop takes no more: there is no memory for it.
            Err(error) => {
                if faults.accept.came(self.service.clock.now().boot) {
                    warn!(%error, "refused: the connection cannot be served");
                }
                return 1;
            }
        };
        tokio::spawn(Arc::clone(self).connection(stream, peer, door, place, leave));
        4
    }
}
