//! Who is at the other end, by the kernel's word alone: nothing that a peer sends or is called is ever read for it
//! (CVE-2019-7304 is what happens otherwise).

use std::io;

use tokio::net::UnixStream;
use tracing::debug;

use crate::policy::{Caller, Gate, UserNamespace};

/// A process that connected. It has no default: an error is never somebody (CVE-2021-3560).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Who it was when it connected; a descriptor that it handed on stays its own.
    pub caller: Caller,
    /// Its process ID then, for the log only: it may be another process by now.
    pub pid: Option<i32>,
}

impl Peer {
    /// The peer of a connection (`SO_PEERCRED` and `SO_PEERGROUPS`, unix(7)). Its supplementary groups are asked for
    /// only where a rule could need them; where the kernel does not tell them, there are none.
    ///
    /// # Errors
    /// The kernel's; the connection must then be refused.
    pub fn of(stream: &UnixStream, gate: &Gate) -> io::Result<Self> {
        let peer = stream.peer_cred()?;
        let (uid, gid, pid) = (peer.uid(), peer.gid(), peer.pid());
        let groups = if gate.is_ours(uid) || !gate.heeds_rules() {
            Box::default()
        } else {
            supplementary_groups(stream).unwrap_or_else(|error| {
                debug!(uid, pid, %error, "the groups of a peer are not known: no rule for a group counts for it");
                Box::default()
            })
        };
        let caller = Caller { uid, gid, groups };
        Ok(Self { caller, pid })
    }
}

/// The groups that the peer was in when it connected. What `/proc` shows of a process would be those of now, perhaps of
/// another process with its number, and is hidden from hardened services; so it is not asked.
#[cfg(target_os = "linux")]
fn supplementary_groups(stream: &UnixStream) -> io::Result<Box<[u32]>> {
    use std::os::fd::AsRawFd as _;

    use uapi::c::{SO_PEERGROUPS, SOL_SOCKET};

    /// Nearly everybody is in fewer.
    const MANY: usize = 64;
    /// As many as a process can be in (`NGROUPS_MAX`, credentials(7)).
    const MOST: usize = 65_536;

    for room in [MANY, MOST] {
        let mut groups = vec![0_u32; room];
        match uapi::getsockopt(
            stream.as_raw_fd(),
            SOL_SOCKET,
            SO_PEERGROUPS,
            groups.as_mut_slice(),
        ) {
            Ok(bytes) => {
                groups.truncate(bytes / size_of::<u32>());
                return Ok(groups.into_boxed_slice());
            }
            // There are more.
            Err(error) if error.0 == uapi::c::ERANGE => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}

#[cfg(not(target_os = "linux"))]
fn supplementary_groups(_: &UnixStream) -> io::Result<Box<[u32]>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The user namespace we are in.
pub fn user_namespace() -> UserNamespace {
    if cfg!(target_os = "linux") {
        let map = |name| std::fs::read_to_string(format!("/proc/self/{name}")).ok();
        UserNamespace::of_maps(map("uid_map").as_deref(), map("gid_map").as_deref())
    } else {
        UserNamespace::Identity
    }
}
