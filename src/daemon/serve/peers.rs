//! Identifies the peer of a connection by the kernel's data only. The data that a peer sends and the name of its socket
//! are never used for that (see CVE-2019-7304 for what would go wrong).

use std::io;
use std::os::unix::net::UnixStream;

use tracing::{debug, info};

use crate::policy::{AccessContext, Caller, Peer, UserNamespace};

/// Returns the peer of a connection (`SO_PEERCRED` and `SO_PEERGROUPS`, unix(7)). A peer may be in 65,536 supplementary
/// groups, so they are read only if a rule could need them: `groups_count` says so for a user. If the kernel does not
/// report them, the peer has none.
///
/// # Errors
/// The kernel's errors. The connection must then be refused.
pub(super) fn of(
    stream: &UnixStream,
    gate: &AccessContext,
    groups_count: impl FnOnce(u32) -> bool,
) -> io::Result<Peer> {
    let (uid, gid, pid) = credentials(stream)?;
    let groups = if gate.is_ours(uid) || !gate.applies_rules() || !groups_count(uid) {
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

/// Returns the user, the group and the process of the peer.
#[cfg(target_os = "linux")]
pub(crate) fn credentials(stream: &UnixStream) -> io::Result<(u32, u32, Option<i32>)> {
    use std::os::fd::AsRawFd as _;

    use uapi::c::{SO_PEERCRED, SOL_SOCKET};

    // The fields of a `ucred`: process, user, group.
    let mut peer = [0_u32; 3];
    let bytes = uapi::getsockopt(
        stream.as_raw_fd(),
        SOL_SOCKET,
        SO_PEERCRED,
        peer.as_mut_slice(),
    )?;
    let [pid, uid, gid] = peer;
    if bytes != size_of_val(&peer) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok((uid, gid, shown(Some(pid.cast_signed()))))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn credentials(stream: &UnixStream) -> io::Result<(u32, u32, Option<i32>)> {
    // Only tokio's stream offers this call, and it takes ownership of the socket.
    let peer = tokio::net::UnixStream::from_std(stream.try_clone()?)?.peer_cred()?;
    Ok((peer.uid(), peer.gid(), shown(peer.pid())))
}

/// Filters out 0, which the kernel reports for a process outside our PID namespace.
fn shown(pid: Option<i32>) -> Option<i32> {
    pid.filter(|pid| *pid > 0)
}

/// Returns the groups that the peer was in when it connected. Does not read `/proc`, which would show the current
/// groups, perhaps of another process with the same ID, and which is hidden from hardened services.
#[cfg(target_os = "linux")]
fn supplementary_groups(stream: &UnixStream) -> io::Result<Box<[u32]>> {
    use std::os::fd::AsRawFd as _;

    use uapi::c::{SO_PEERGROUPS, SOL_SOCKET};

    /// Room for the groups of nearly every process.
    const MANY: usize = 64;
    /// Maximum number of groups of a process (`NGROUPS_MAX`, credentials(7)).
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
            // The peer is in more groups than the buffer can hold.
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

/// Returns the gate of a daemon of this user, which says which peers may do everything. Logs a line if the daemon can
/// serve no other user.
pub fn gate(own_uid: u32, has_guests: bool) -> AccessContext {
    let namespace = user_namespace();
    if namespace == UserNamespace::Other && !has_guests {
        info!(
            uid = own_uid,
            "in a user namespace: only this user is served"
        );
    }
    AccessContext { own_uid, namespace }
}

/// Determines the user namespace of this process.
fn user_namespace() -> UserNamespace {
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
    async fn a_peer_is_identified_by_process_and_user() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let own_uid = rustix::process::geteuid().as_raw();
        let namespace = UserNamespace::Identity;
        let peer = of(&ours, &AccessContext { own_uid, namespace }, |_| true).unwrap();
        assert_eq!(peer.caller.uid, own_uid);
        assert_eq!(peer.caller.gid, rustix::process::getegid().as_raw());
        assert_eq!(peer.pid, i32::try_from(std::process::id()).ok());
    }

    #[test]
    fn a_peer_pid_of_zero_is_unknown() {
        for (told, pid) in [(None, None), (Some(0), None), (Some(1), Some(1))] {
            assert_eq!(shown(told), pid);
        }
    }
}
