//! The users and groups of this machine, from its name service: files, LDAP, or other sources.

use nix::unistd::{Gid, Group, Uid, User};

use crate::config::{LookupFailed, Names};

/// The machine's name service.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Names for System {
    fn user(&self, name: &str) -> Result<Option<u32>, LookupFailed> {
        let found = User::from_name(name).map_err(|e| LookupFailed(e.desc().into()))?;
        Ok(found.map(|user| user.uid.as_raw()))
    }

    fn group(&self, name: &str) -> Result<Option<u32>, LookupFailed> {
        let found = Group::from_name(name).map_err(|e| LookupFailed(e.desc().into()))?;
        Ok(found.map(|group| group.gid.as_raw()))
    }
}

impl System {
    /// Reports whether the user `uid` is in the group `gid`; `None` if the machine does not know, as for a number
    /// without a name.
    pub fn is_member(self, uid: u32, gid: u32) -> Option<bool> {
        let user = User::from_uid(Uid::from_raw(uid)).ok()??;
        let group = Gid::from_raw(gid);
        Some(user.gid == group || in_group(&user, group)?)
    }
}

#[cfg(not(target_os = "macos"))]
fn in_group(user: &User, group: Gid) -> Option<bool> {
    let name = std::ffi::CString::new(user.name.as_str()).ok()?;
    let groups = nix::unistd::getgrouplist(&name, user.gid).ok()?;
    Some(groups.contains(&group))
}

#[cfg(target_os = "macos")]
fn in_group(user: &User, group: Gid) -> Option<bool> {
    let group = Group::from_gid(group).ok()??;
    Some(group.mem.contains(&user.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_resolves_root_and_not_an_unknown_user() {
        assert_eq!(System.user("root"), Ok(Some(0)));
        assert_eq!(System.user("no-such-user-here"), Ok(None));
        assert_eq!(System.group("no-such-group-here"), Ok(None));
        assert_eq!(System.user(""), Ok(None));
        let root = User::from_uid(Uid::from_raw(0)).unwrap().unwrap();
        let group = Group::from_gid(root.gid).unwrap().unwrap();
        assert_eq!(System.group(&group.name), Ok(Some(root.gid.as_raw())));
    }

    #[test]
    fn a_user_is_a_member_of_its_own_group_only() {
        let root = User::from_uid(Uid::from_raw(0)).unwrap().unwrap();
        assert_eq!(System.is_member(0, root.gid.as_raw()), Some(true));
        assert_eq!(System.is_member(0, 4_294_967_294), Some(false));
        assert_eq!(System.is_member(4_294_967_294, 0), None);
    }
}
