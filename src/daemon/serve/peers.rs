//! Identifies the peer of a connection by the kernel's word alone. Neither the data that a peer sends nor the name of
//! its socket is ever used for that (CVE-2019-7304 is what happens otherwise).

use std::io;

use tokio::net::UnixStream;
use tracing::debug;

use crate::policy::{Caller, Gate, Peer, UserNamespace};

/// Returns the peer of a connection (`SO_PEERCRED` and `SO_PEERGROUPS`, unix(7)). Its supplementary groups are read
/// only where a rule could need them; where the kernel does not report them, the peer has none.
///
/// # Errors
/// The kernel's; the connection must then be refused.
pub(super) fn of(stream: &UnixStream, gate: &Gate) -> io::Result<Peer> {
    let peer = stream.peer_cred()?;
    let (uid, gid, pid) = (peer.uid(), peer.gid(), shown(peer.pid()));
    let groups = if gate.is_ours(uid) || !gate.heeds_rules() {
        Box::default()
    } else {
        supplementary_groups(stream).unwrap_or_else(|error| {
            debug!(uid, pid, %error, "the groups of a peer are not known: no rule for a group counts for it");
            Box::default()
        })
    };
    let caller = Caller { uid, gid, groups };
    Ok(Peer { caller, pid })
}

/// The process ID that the kernel shows; it shows 0 for a process that has none in our namespace.
fn shown(pid: Option<i32>) -> Option<i32> {
    pid.filter(|pid| *pid > 0)
}

/// The groups that the peer was in when it connected. `/proc` is not read: it would show the groups of now, perhaps of
/// another process with the same ID, and it is hidden from hardened services.
#[cfg(target_os = "linux")]
fn supplementary_groups(stream: &UnixStream) -> io::Result<Box<[u32]>> {
    use std::os::fd::AsRawFd as _;

    use uapi::c::{SO_PEERGROUPS, SOL_SOCKET};

    /// Nearly every process is in fewer groups.
    const MANY: usize = 64;
    /// The most groups that a process can be in (`NGROUPS_MAX`, credentials(7)).
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
            // The peer is in more groups than there is room for.
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

/// The user namespace of this process.
pub fn user_namespace() -> UserNamespace {
    if cfg!(target_os = "linux") {
        let map = |name| std::fs::read_to_string(format!("/proc/self/{name}")).ok();
        UserNamespace::of_maps(map("uid_map").as_deref(), map("gid_map").as_deref())
    } else {
        UserNamespace::Identity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_peer_is_known_by_its_process_and_user() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let own_uid = rustix::process::geteuid().as_raw();
        let namespace = UserNamespace::Identity;
        let peer = of(&ours, &Gate { own_uid, namespace }).unwrap();
        assert_eq!(peer.caller.uid, own_uid);
        assert_eq!(peer.caller.gid, rustix::process::getegid().as_raw());
        assert_eq!(peer.pid, i32::try_from(std::process::id()).ok());
    }

    #[test]
    fn zero_is_no_process() {
        for (told, pid) in [(None, None), (Some(0), None), (Some(1), Some(1))] {
            assert_eq!(shown(told), pid);
        }
    }
}
