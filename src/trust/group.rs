//! Groups that are private to one user, and so may have write access: a user private group, or in a container root's
//! group.
//!
//! Several distributions set umask 0002 and give each user a private group, so files of that user are writable by this
//! group. The lists of users and groups are read at each judgement, since an administrator can add a member at any
//! time.

use self::lists::{Group, User, groups, read, users};
use super::{GroupFault, TrustFault};

mod lists;
mod sources;

/// The password fields of `/etc/group` (group(5)) that mean "no password": with a password, anyone who knows it can
/// enter the group by newgrp(1).
const NO_PASSWORD: [&str; 6] = ["", "x", "*", "!", "!!", "!*"];

/// The user whose files are judged.
#[derive(Debug, Clone, Copy)]
struct OwnUser {
    uid: u32,
    /// The effective group, if this process runs as that user.
    gid: Option<u32>,
}

/// The texts of the lists of users and groups at one moment.
#[derive(Debug, Default)]
struct AccountLists {
    /// `/etc/passwd` (passwd(5)).
    passwd: String,
    /// `/etc/group` (group(5)).
    group: String,
    /// A source of users or groups that cannot be listed, if any.
    elsewhere: Option<String>,
    /// `/proc/self/gid_map` (user_namespaces(7)).
    gid_map: String,
}

/// Accepts write or read access by others, if only the group has it and no user other than `uid` is in that group.
/// `has_list` reports whether an access list admits more users than the mode shows.
///
/// Not for root: distributions with umask 0002 leave root at 0022, and services run in root's group.
///
/// # Errors
/// `why`, with the doubt about the group if that is the reason.
pub(super) fn accept_private(
    why: TrustFault,
    uid: u32,
    has_list: impl FnOnce() -> bool,
) -> Result<(), TrustFault> {
    let (group, by_others) = match &why {
        TrustFault::Writable { mode, group, .. } => (*group, mode & 0o002 != 0),
        TrustFault::Readable { mode, group, .. } => (*group, mode & 0o004 != 0),
        _ => return Err(why),
    };
    if by_others || uid == 0 {
        return Err(why);
    }
    let verdict = judge(group, OwnUser::new(uid)).and_then(|()| match has_list() {
        true => Err(GroupFault::AccessList),
        false => Ok(()),
    });
    verdict.map_err(|reason| {
        let mut why = why;
        if let TrustFault::Writable { doubt, .. } | TrustFault::Readable { doubt, .. } = &mut why {
            *doubt = Some(reason);
        }
        why
    })
}

/// Judges the right of the group `gid` to write: no other user than us and root may have it.
///
/// # Errors
/// [`GroupFault`] says which user may have it, or why that is unknown.
fn judge(gid: u32, us: OwnUser) -> Result<(), GroupFault> {
    // On other systems the users are in a directory service, and these files do not list them.
    if !cfg!(target_os = "linux") {
        return Err(GroupFault::Elsewhere("a directory service".to_owned()));
    }
    let lists = AccountLists {
        passwd: read("/etc/passwd")?,
        group: read("/etc/group")?,
        elsewhere: sources::not_listed(),
        gid_map: read("/proc/self/gid_map")?,
    };
    lists.judge(gid, us)
}

// === impl Us ===

impl OwnUser {
    /// Describes the user `uid`, which may be another user than this process's.
    fn new(uid: u32) -> Self {
        let is_us = rustix::process::geteuid().as_raw() == uid;
        Self {
            uid,
            gid: is_us.then(|| rustix::process::getegid().as_raw()),
        }
    }
}

// === impl Lists ===

impl AccountLists {
    fn judge(&self, gid: u32, us: OwnUser) -> Result<(), GroupFault> {
        if !is_of_a_range(&self.gid_map, gid) {
            return Err(GroupFault::Mapped);
        }
        let users = users(&self.passwd)?;
        let groups: Vec<_> = groups(&self.group)?
            .into_iter()
            .filter(|group| group.gid == gid)
            .collect();
        if groups.iter().any(|g| !NO_PASSWORD.contains(&g.password)) {
            return Err(GroupFault::Password);
        }
        if gid == 0 && us.gid == Some(0) {
            roots(&users, &groups, us)
        } else {
            self.private(gid, us, &users, &groups)
        }
    }

    /// Judges a user private group: it has the user's name and no other member.
    fn private(
        &self,
        gid: u32,
        us: OwnUser,
        users: &[User<'_>],
        groups: &[Group<'_>],
    ) -> Result<(), GroupFault> {
        let names: Vec<&str> = users
            .iter()
            .filter(|user| user.uid == us.uid)
            .map(|user| user.name)
            .collect();
        let Some(account) = users.iter().find(|user| user.uid == us.uid) else {
            return Err(GroupFault::NoAccount(us.uid));
        };
        if account.gid != gid || !groups.iter().any(|group| names.contains(&group.name)) {
            return Err(GroupFault::NotOurs);
        }
        let mut members = groups.iter().flat_map(Group::members);
        let other_member = members.find(|name| !names.contains(name));
        let other_account = users
            .iter()
            .find(|user| user.gid == gid && user.uid != us.uid)
            .map(|user| user.name);
        if let Some(name) = other_member.or(other_account) {
            return Err(GroupFault::has(name));
        }
        match &self.elsewhere {
            Some(source) => Err(GroupFault::Elsewhere(source.clone())),
            None => Ok(()),
        }
    }
}

/// Judges root's group if it is also this process's group, as in a container with an arbitrary user in group 0
/// (`OpenShift`).
///
/// Images for it list further accounts in group 0, so accounts without a login do not count. The name service does not
/// count either: these images name `sss`, which serves no user or group below 1 (`min_id`, sssd.conf(5)).
fn roots(users: &[User<'_>], groups: &[Group<'_>], us: OwnUser) -> Result<(), GroupFault> {
    let harmless = |user: &&User<'_>| user.uid == 0 || user.uid == us.uid || !user.can_log_in();
    let mut members = groups.iter().flat_map(Group::members);
    let other_member = members.find(|name| {
        let account = users.iter().find(|user| user.name == *name);
        !account.is_some_and(|user| harmless(&user))
    });
    let other_account = users
        .iter()
        .find(|user| user.gid == 0 && !harmless(user))
        .map(|user| user.name);
    match other_member.or(other_account) {
        Some(name) => Err(GroupFault::has(name)),
        None => Ok(()),
    }
}

/// Reports whether a group's number is in a range that was mapped to our user namespace. A number that is mapped on its
/// own is a group of the outer namespace, and the lists in here do not contain its members: `unshare -r`, and root's
/// group in a rootless container.
fn is_of_a_range(gid_map: &str, gid: u32) -> bool {
    gid_map.lines().any(|line| {
        let numbers: Vec<u64> = line
            .split_ascii_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        let [first, _, count] = numbers[..] else {
            return false;
        };
        count > 1 && (first..first.saturating_add(count)).contains(&u64::from(gid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: &str = "         0          0 4294967295\n";
    const ALICE: &str = "alice:x:1000:1000:Alice:/home/alice:/bin/bash";
    const ROOT: &str = "root:x:0:0:root:/root:/bin/bash";

    fn lists(passwd: &[&str], group: &[&str]) -> AccountLists {
        AccountLists {
            passwd: passwd.join("\n"),
            group: group.join("\n"),
            elsewhere: None,
            gid_map: IDENTITY.to_owned(),
        }
    }

    const fn us(uid: u32, gid: u32) -> OwnUser {
        OwnUser {
            uid,
            gid: Some(gid),
        }
    }

    #[test]
    fn a_private_group_has_the_name_of_its_user_and_no_other_member() {
        let bob = "bob:x:1001:1001::/home/bob:/bin/sh";
        for (passwd, group, gid, good) in [
            (&[ROOT, ALICE, bob][..], &["alice:x:1000:"][..], 1000, true),
            (&[ALICE], &["alice:x:1000:alice"], 1000, true),
            (&[ALICE], &["alice:x:1000:alice, alice,"], 1000, true),
            (&[ALICE], &["alice:*:1000"], 1000, true),
            // A second name of the same user, and a second name of the same group.
            (
                &[ALICE, "al:x:1000:1000::/:/bin/sh"],
                &["alice:x:1000:al"],
                1000,
                true,
            ),
            (&[ALICE], &["alice:x:1000:", "also:x:1000:"], 1000, true),
            (&[ALICE], &["alice:x:1000:", "also:x:1000:bob"], 1000, false),
            (&[ALICE, bob], &["alice:x:1000:bob"], 1000, false),
            (&[ALICE], &["alice:x:1000:alice,gone"], 1000, false),
            (&[ALICE], &["alice:x:1000:root"], 1000, false),
            // The primary group of another account, which the lists of members do not show.
            (
                &[ALICE, "bob:x:1001:1000::/:/usr/sbin/nologin"],
                &["alice:x:1000:"],
                1000,
                false,
            ),
            // Not our primary group; not our name; without a name.
            (
                &[ALICE],
                &["alice:x:1000:", "team:x:2000:alice"],
                2000,
                false,
            ),
            (&[ALICE], &["users:x:1000:"], 1000, false),
            (&[ALICE], &[], 1000, false),
            (&[ALICE], &["alice:x:999:", "staff:x:1000:"], 1000, false),
            // The list does not contain our user.
            (&[ROOT, bob], &["alice:x:1000:"], 1000, false),
            (&[], &[], 1000, false),
            // Anyone who knows the password can enter the group.
            (&[ALICE], &["alice:$6$salt$hash:1000:"], 1000, false),
            // A malformed line could name any user.
            (&[ALICE, "broken"], &["alice:x:1000:"], 1000, false),
            (
                &[ALICE, "eve:x:-1:1000::/:/bin/sh"],
                &["alice:x:1000:"],
                1000,
                false,
            ),
            (&[ALICE], &["alice:x:1000:", "broken"], 1000, false),
            (&[ALICE, "+::::::"], &["alice:x:1000:"], 1000, false),
            (&[ALICE], &["alice:x:1000:", "+:::"], 1000, false),
            (
                &["# a comment", "", ALICE],
                &["", "alice:x:1000:"],
                1000,
                true,
            ),
        ] {
            let verdict = lists(passwd, group).judge(gid, us(1000, 1000));
            assert_eq!(verdict.is_ok(), good, "{passwd:?} {group:?}: {verdict:?}");
        }
    }

    #[test]
    fn no_group_is_private_if_accounts_come_from_a_directory_service() {
        let here = lists(&[ALICE], &["alice:x:1000:"]);
        assert!(here.judge(1000, us(1000, 1000)).is_ok());
        let directory = AccountLists {
            elsewhere: Some("sss".to_owned()),
            ..here
        };
        let doubt = directory.judge(1000, us(1000, 1000)).unwrap_err();
        assert_eq!(doubt, GroupFault::Elsewhere("sss".to_owned()));
    }

    #[test]
    fn the_root_group_is_private_only_if_it_is_ours_and_has_no_person() {
        // The accounts that the RHEL family ships.
        let family = [
            ROOT,
            "sync:x:5:0:sync:/sbin:/bin/sync",
            "shutdown:x:6:0:shutdown:/sbin:/sbin/shutdown",
            "halt:x:7:0:halt:/sbin:/sbin/halt",
            "operator:x:11:0:operator:/root:/sbin/nologin",
            "default:x:1001:0:Default Application User:/opt/app-root/src:/sbin/nologin",
        ];
        let person = "bob:x:1001:0::/home/bob:/bin/bash";
        let random = us(1_000_680_000, 0);
        let ours = "1000680000:x:1000680000:0:user:/:/bin/sh";
        for (passwd, group, us, good) in [
            (&[ROOT][..], &["root:x:0:"][..], random, true),
            (&[], &[], random, true),
            (&family, &["root:x:0:root"], random, true),
            (&family, &["root:x:0:operator"], random, true),
            (&[ROOT, ours], &["root:x:0:"], random, true),
            (&[ROOT, person], &["root:x:0:"], random, false),
            (&[ROOT, ALICE], &["root:x:0:alice"], random, false),
            (&[ROOT], &["root:x:0:gone"], random, false),
            (&[ROOT], &["root:x:0:", "wheel:x:0:gone"], random, false),
            // An empty field is /bin/sh (passwd(5)).
            (
                &[ROOT, "bob:x:1001:0::/home/bob:"],
                &["root:x:0:"],
                random,
                false,
            ),
            // Not our own group.
            (&[ROOT], &["root:x:0:"], us(60_001, 60_001), false),
            (
                &[ROOT],
                &["root:x:0:"],
                OwnUser {
                    uid: 60_001,
                    gid: None,
                },
                false,
            ),
        ] {
            let verdict = lists(passwd, group).judge(0, us);
            assert_eq!(verdict.is_ok(), good, "{passwd:?} {group:?}: {verdict:?}");
        }
    }

    #[test]
    fn a_group_mapped_alone_in_a_namespace_is_not_private() {
        for (gid_map, gid, good) in [
            (IDENTITY, 1000, true),
            ("0 524288 65536\n", 1000, true),
            ("0 524288 65536\n", 70_000, false),
            ("1000 1000 1\n", 1000, false),
            // A rootless container: the user's own group, and a range for the others.
            ("0 1000 1\n1 100000 65536\n", 0, false),
            ("0 1000 1\n1 100000 65536\n", 1000, true),
            ("", 1000, false),
            ("0 0\n", 0, false),
        ] {
            assert_eq!(is_of_a_range(gid_map, gid), good, "{gid_map:?} {gid}");
        }
        let alone = AccountLists {
            gid_map: "1000 1000 1\n".to_owned(),
            ..lists(&[ALICE], &["alice:x:1000:"])
        };
        let doubt = alone.judge(1000, us(1000, 1000)).unwrap_err();
        assert_eq!(doubt, GroupFault::Mapped);
    }
}
