//! The lists of users and groups: `/etc/passwd` (passwd(5)) and `/etc/group` (group(5)).

use std::fs::File;
use std::io::{self, Read as _};

use crate::trust::GroupFault;

/// The largest accepted list, in bytes: larger than any list of users.
const MAX_LIST_LEN: u64 = 16 << 20;

/// The shells of accounts without a login, by file name. Distributions ship such accounts in root's group: `sync`,
/// `shutdown`, `halt` and `operator` of the RHEL family, `default` of its images.
const NO_LOGIN: [&str; 5] = ["nologin", "false", "sync", "shutdown", "halt"];

/// An account of `/etc/passwd`.
pub(super) struct User<'a> {
    pub(super) name: &'a str,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) shell: &'a str,
}

/// A group of `/etc/group`.
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    pub(super) password: &'a str,
    pub(super) gid: u32,
    pub(super) members: &'a str,
}

/// Reads a list; a missing file is an empty list.
pub(super) fn read(path: &'static str) -> Result<String, GroupFault> {
    let unreadable = |_| GroupFault::Unreadable(path);
    let mut bytes = vec![];
    match File::open(path) {
        Ok(file) => {
            let mut file = file.take(MAX_LIST_LEN);
            file.read_to_end(&mut bytes).map_err(unreadable)?;
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(unreadable(e)),
    }
    if bytes.len() as u64 == MAX_LIST_LEN {
        return Err(GroupFault::Unreadable(path));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Parses accounts in the form of passwd(5).
pub(super) fn users(text: &str) -> Result<Vec<User<'_>>, GroupFault> {
    entries(text, "/etc/passwd", |fields| {
        let [name, _, uid, gid, _, _, shell] = fields[..] else {
            return None;
        };
        Some(User {
            name,
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            shell,
        })
    })
}

/// Parses groups in the form of group(5).
pub(super) fn groups(text: &str) -> Result<Vec<Group<'_>>, GroupFault> {
    entries(text, "/etc/group", |fields| {
        let (name, password, gid, members) = match fields[..] {
            [name, password, gid] => (name, password, gid, ""),
            [name, password, gid, members] => (name, password, gid, members),
            _ => return None,
        };
        Some(Group {
            name,
            password,
            gid: gid.parse().ok()?,
            members,
        })
    })
}

/// Parses the lines. A malformed line is an error, since it could name any user.
fn entries<'a, T>(
    text: &'a str,
    path: &'static str,
    read: impl Fn(&[&'a str]) -> Option<T>,
) -> Result<Vec<T>, GroupFault> {
    let mut entries = vec![];
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // On such lines, the name service looks into another list (nsswitch.conf(5), compat).
        if line.starts_with(['+', '-']) {
            return Err(GroupFault::Elsewhere("NIS".to_owned()));
        }
        let fields: Vec<&str> = line.split(':').collect();
        entries.push(read(&fields).ok_or(GroupFault::Unreadable(path))?);
    }
    Ok(entries)
}

// === impl User ===

impl User<'_> {
    pub(super) fn can_log_in(&self) -> bool {
        let file = self.shell.rsplit('/').next().unwrap_or_default();
        !NO_LOGIN.contains(&file)
    }
}

// === impl Group ===

impl<'a> Group<'a> {
    pub(super) fn members(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let members = self.members.split(',').map(str::trim);
        members.filter(|name| !name.is_empty())
    }
}
