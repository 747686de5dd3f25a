//! Work done with the rights of another user, so that the kernel itself decides what that user can reach.

use std::io;

/// The groups that a service manager gives a service, besides those of its user (systemd.exec(5)).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceGroups {
    /// The group that replaces the user's primary group (`Group=`).
    pub own: Option<u32>,
    /// Further groups (`SupplementaryGroups=`).
    pub more: Vec<u32>,
}

/// Does `work` with the rights of the user `uid`: with that user's groups, the groups of the service, and no
/// privileges. It needs root's rights, unless this process already runs as that user; then it does the work at once.
///
/// Only the effective user and group change, and only in one thread, which ends with the work. The real user stays the
/// one that started this process and reads its messages.
///
/// # Errors
/// The system's error, if it refuses the change of user or a new thread. The work is not done then.
pub fn with_rights_of<T: Send>(
    uid: u32,
    service: &ServiceGroups,
    work: impl FnOnce() -> T + Send,
) -> io::Result<T> {
    if rustix::process::geteuid().as_raw() == uid {
        return Ok(work());
    }
    let as_user = || {
        become_user(uid, service)?;
        Ok(work())
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, as_user)?;
        // A panic aborts the process, so this error cannot occur.
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread has ended early")))
    })
}

/// Gives this thread the effective user, its group and its supplementary groups. A user ID without a name gets the
/// group of the same number, as systemd and useradd create it, and no other.
#[cfg(target_os = "linux")]
fn become_user(uid: u32, service: &ServiceGroups) -> io::Result<()> {
    use std::ffi::CString;

    use nix::unistd::{Gid as Group, Uid, User, getgrouplist};
    use rustix::process::{Gid, Uid as ThreadUid};
    use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

    let user = User::from_uid(Uid::from_raw(uid))?;
    let (group, groups) = match user {
        Some(user) => {
            let name = CString::new(user.name).map_err(io::Error::other)?;
            let group = service.own.map_or(user.gid, Group::from_raw);
            (group.as_raw(), getgrouplist(&name, group)?)
        }
        None => (service.own.unwrap_or(uid), vec![]),
    };
    let groups = groups.iter().map(|group| group.as_raw());
    let groups = groups.chain(service.more.iter().copied());
    let groups: Vec<_> = groups.map(Gid::from_raw).collect();
    set_thread_groups(&groups)?;
    set_thread_res_gid(None, Gid::from_raw(group), None)?;
    // Last: without the privileges that end here, the groups cannot be set.
    set_thread_res_uid(None, ThreadUid::from_raw(uid), None)?;
    Ok(())
}

/// Fails: other systems can change the user only for the whole process.
#[cfg(not(target_os = "linux"))]
fn become_user(_: u32, _: &ServiceGroups) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const NONE: ServiceGroups = ServiceGroups {
        own: None,
        more: vec![],
    };

    #[test]
    fn work_run_as_another_user_has_only_that_users_rights() {
        let own = rustix::process::geteuid();
        assert_eq!(with_rights_of(own.as_raw(), &NONE, || 7).unwrap(), 7);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let read_by = |uid, mode| {
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            with_rights_of(uid, &NONE, || fs::read(&file).is_ok())
        };
        if !own.is_root() {
            assert!(read_by(60_001, 0o644).is_err(), "only root can");
            return;
        }
        assert!(read_by(60_001, 0o644).unwrap());
        assert!(!read_by(60_001, 0o640).unwrap());
        let ids = || (rustix::process::getuid(), rustix::process::geteuid());
        let (real, effective) = with_rights_of(60_001, &NONE, ids).unwrap();
        assert_eq!((real.as_raw(), effective.as_raw()), (0, 60_001));
        assert_eq!(ids(), (own, own), "the other threads keep theirs");
        // The user is in the group of the same number, and in no other.
        rustix::fs::chown(&file, None, Some(rustix::fs::Gid::from_raw(60_001))).unwrap();
        assert!(read_by(60_001, 0o640).unwrap());
        assert!(!read_by(60_002, 0o640).unwrap());
        // A service may have more groups than its user, or another primary group.
        for (own, more, reads) in [
            (None, vec![60_001], true),
            (None, vec![60_003, 60_001], true),
            (Some(60_001), vec![], true),
            (Some(60_003), vec![60_004], false),
        ] {
            let service = ServiceGroups { own, more };
            let read = with_rights_of(60_002, &service, || fs::read(&file).is_ok());
            assert_eq!(read.unwrap(), reads, "{service:?}");
        }
    }
}
