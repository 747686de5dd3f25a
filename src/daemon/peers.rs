//! Who is at the other end, by the kernel's word alone: nothing that a peer sends or is called is ever read for it
//! (CVE-2019-7304 is what happens otherwise).

use std::io;

use tokio::net::UnixStream;

use crate::policy::UserNamespace;

/// A process that connected. It has no default: an error is never somebody (CVE-2021-3560).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its effective user when it connected.
    pub uid: u32,
    /// Its process ID then, for the log only: it may be another process by now.
    pub pid: Option<i32>,
}

impl Peer {
    /// The peer of a connection (`SO_PEERCRED`, unix(7)).
    ///
    /// # Errors
    /// The kernel's; the connection must then be refused.
    pub fn of(stream: &UnixStream) -> io::Result<Self> {
        let peer = stream.peer_cred()?;
        Ok(Self {
            uid: peer.uid(),
            pid: peer.pid(),
        })
    }
}

/// The user namespace we are in.
pub fn user_namespace() -> UserNamespace {
    if cfg!(target_os = "linux") {
        UserNamespace::of_uid_map(
            std::fs::read_to_string("/proc/self/uid_map")
                .ok()
                .as_deref(),
        )
    } else {
        UserNamespace::Identity
    }
}
