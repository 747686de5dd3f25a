//! Decides which accepted connections are served, refused, or made to wait.

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, recv};
use tracing::{debug, warn};

use super::super::super::service::SocketKind;
use super::super::faults::Faults;
use super::super::peers;
use super::super::socket::Socket;
use super::super::waiting::Access;
use super::Server;
use crate::policy::Peer;
use crate::problem::{Code, Problem};

/// Costs of accepting a connection, in units of [`super::AT_ONCE`].
const SERVED: u32 = 16;
const REFUSED: u32 = 4;
const WAITS: u32 = 1;

// === impl Server ===

impl Server {
    /// Serves or refuses a new connection, or makes it wait if its user has too many fruitless ones. Returns the cost.
    pub(super) fn receive(
        self: &Arc<Self>,
        stream: UnixStream,
        door: SocketKind,
        faults: &mut Faults,
    ) -> u32 {
        let Some((peer, access)) = self.identify(&stream, door, faults) else {
            return REFUSED;
        };
        let uid = peer.caller.uid;
        let is_ours = self.service.roster.gate().is_ours(uid);
        let mut waiting = self.connections.waiting();
        if is_ours || waiting.may_enter_now(access, uid) {
            drop(waiting);
            return self.serve_or_refuse(stream, peer, access, door, faults);
        }
        if has_hung_up(&stream) {
            return WAITS;
        }
        let Some(first) = waiting.push(access, uid, stream) else {
            return WAITS;
        };
        drop(waiting);
        self.admit(first, door, faults)
    }

    /// Serves or refuses the waiting connections that are next.
    pub(super) fn tick(self: &Arc<Self>, door: SocketKind, faults: &mut Faults) {
        self.connections.waiting().tick();
        // Connections that have lost their place must free their descriptors first.
        while !self.connections.must_wait() {
            let next = self.connections.waiting().next();
            let Some(stream) = next else { break };
            self.admit(stream, door, faults);
        }
    }

    /// Serves or refuses all waiting connections, because this listener accepts no more.
    pub(super) async fn admit_waiting(self: &Arc<Self>, door: SocketKind, faults: &mut Faults) {
        let all: Vec<_> = self.connections.waiting().take_all().collect();
        for stream in all {
            self.admit(stream, door, faults);
            tokio::task::yield_now().await;
        }
    }

    /// Serves or refuses a connection without a wait. Returns the cost.
    pub(super) fn admit(
        self: &Arc<Self>,
        stream: UnixStream,
        door: SocketKind,
        faults: &mut Faults,
    ) -> u32 {
        match self.identify(&stream, door, faults) {
            Some((peer, access)) => self.serve_or_refuse(stream, peer, access, door, faults),
            None => REFUSED,
        }
    }

    fn identify(
        &self,
        stream: &UnixStream,
        door: SocketKind,
        faults: &mut Faults,
    ) -> Option<(Peer, Access)> {
        let roster = &self.service.roster;
        match peers::of(stream, roster.gate(), |uid| roster.knows_groups_of(uid)) {
            Ok(peer) if self.service.may_connect(&peer.caller, door) => {
                Some((peer, Access::Allowed))
            }
            Ok(peer) => Some((peer, Access::Forbidden)),
            Err(error) => {
                if faults.unknown.occurred(self.service.clock.now().boot) {
                    warn!(%error, "refused: the kernel does not tell the user of the connection");
                }
                None
            }
        }
    }

    fn serve_or_refuse(
        self: &Arc<Self>,
        stream: UnixStream,
        peer: Peer,
        access: Access,
        door: SocketKind,
        faults: &mut Faults,
    ) -> u32 {
        let uid = peer.caller.uid;
        if access == Access::Forbidden {
            self.refused.log(&peer);
            self.connections.waiting().count_fruitless(access, uid);
            self.refusals
                .forbid(stream, || self.service.roster.stranger());
            return REFUSED;
        }
        let Some((place, leave)) = self.connections.admit(uid) else {
            if faults.full.occurred(self.service.clock.now().boot) {
                warn!(
                    peer.uid = uid,
                    "refused: this user, or all users together, have the maximum number of connections"
                );
            } else {
                debug!(peer.uid = uid, "refused: too many connections");
            }
            self.connections.waiting().count_fruitless(access, uid);
            let problem =
                Problem::new(Code::Unavailable).with_detail("the daemon has too many connections");
            self.refusals.refuse(stream, &problem);
            return REFUSED;
        };
        if self.connections.take_unwatched()
            && faults.accept.occurred(self.service.clock.now().boot)
        {
            warn!("the event loop has no memory for another connection; some were closed");
        }
        let socket = Socket::new(stream, Arc::clone(place.spot()));
        tokio::spawn(Arc::clone(self).connection(socket, peer, door, place, leave));
        SERVED
    }
}

/// Whether the peer has closed its end without sending anything. It expects no answer then.
fn has_hung_up(stream: &UnixStream) -> bool {
    let peeked = recv(stream, &mut [0], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    if !matches!(peeked, Ok((_, 0))) {
        return false;
    }
    // A peer that has only shut down its sending side still reads.
    let mut both = [PollFd::new(stream, PollFlags::empty())];
    let polled = poll(&mut both, Some(&Timespec::default()));
    polled.is_ok()
        && both
            .iter()
            .all(|end| end.revents().contains(PollFlags::HUP))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::Shutdown;

    use super::*;

    #[test]
    fn a_peer_has_hung_up_only_if_it_closed_without_sending() {
        for (sends, shuts, closes, expected) in [
            (false, false, false, false),
            (false, true, false, false),
            (true, true, false, false),
            (true, false, true, false),
            (false, false, true, true),
        ] {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            if sends {
                theirs.write_all(b"G").unwrap();
            }
            if shuts {
                theirs.shutdown(Shutdown::Write).unwrap();
            }
            let _theirs = Some(theirs).filter(|_| !closes);
            let case = (sends, shuts, closes);
            assert_eq!(has_hung_up(&ours), expected, "{case:?}");
        }
    }
}
