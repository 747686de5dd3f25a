//! Work done with the rights of another user, so that the kernel itself decides what that user can reach.

use std::io;

/// The groups that a service manager gives a service, beside those of its user (systemd.exec(5)).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceGroups {
    /// The group that takes the place of the user's own (`Group=`).
    pub own: Option<u32>,
    /// Further ones (`SupplementaryGroups=`).
    pub more: Vec<u32>,
}

/// Does `work` with the rights of the user `uid`: its groups and those of its service, and no privileges. Without root's
/// rights to become that user it is an error; as that user already, it is done at once.
///
/// Only the effective user and group change, and only those of one thread, which ends with the work. The real user stays
/// the one that started this process, and reads its messages.
///
/// # Errors
/// The system's word if it does not let us become that user, or refuses a thread. Then the work is not done.
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
        // It does not panic, since a panic aborts.
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread has ended early")))
    })
}

/// Gives this thread the effective user, its group and its supplementary groups. A number that has no name has a group of
/// the same number, as systemd and useradd make it, and no other.
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

/// Other systems change the user of the whole process alone.
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
    fn the_kernel_judges_the_work_by_the_other_users_rights() {
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
        // Only the group of the same number.
        rustix::fs::chown(&file, None, Some(rustix::fs::Gid::from_raw(60_001))).unwrap();
        assert!(read_by(60_001, 0o640).unwrap());
        assert!(!read_by(60_002, 0o640).unwrap());
        // A service may have more groups than its user, or another one.
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
