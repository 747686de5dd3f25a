//! Access to a file that the system denies, and the remedies.

use std::path::Path;

/// Access that the system denies, with the facts that decide about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied {
    /// The user whose access was denied.
    pub uid: u32,
    /// The group of that user.
    pub gid: u32,
    /// The user that has to read the file. If `uid` is another user, a person is only looking.
    pub daemon: u32,
    /// The owner of the file or folder.
    pub owner: u32,
    /// Its group.
    pub group: u32,
    /// The mode's bits.
    pub mode: u32,
    /// Whether access to a folder on the way to the file was denied.
    pub is_folder: bool,
}

/// The folder of the system's configuration. No remedy opens other folders, such as a home or a folder of keys.
const OURS: &str = "/etc/jeton";

// === impl Denied ===

impl Denied {
    /// Returns the mode bit that gives every user the missing right.
    pub(super) const fn right(&self) -> u32 {
        if self.is_folder { 0o001 } else { 0o004 }
    }

    /// Reports whether a user other than the daemon's was denied, which says nothing about the daemon.
    pub const fn is_of_another(&self) -> bool {
        self.uid != self.daemon
    }

    pub(super) fn what(&self) -> String {
        let Self {
            uid, mode, group, ..
        } = self;
        if self.is_folder {
            format!(
                "uid {uid} cannot look into this folder: Permission denied (mode {mode:04o}, group {group})"
            )
        } else {
            format!("uid {uid} cannot read it: Permission denied (mode {mode:04o}, group {group})")
        }
    }

    pub(super) fn remedy(&self, path: &Path, is_key: bool, reader: u32, elsewhere: &str) -> String {
        let Self {
            uid, gid, daemon, ..
        } = self;
        if self.is_of_another() {
            return format!("run this as root or as uid {daemon}");
        }
        let shown = path.display();
        let may_open = path.starts_with(OURS);
        let change = match self.is_folder {
            true if self.owner == *uid => format!("chmod u+x {shown}"),
            true if may_open => format!("chmod o+x {shown}"),
            true => {
                return format!(
                    "keep it in a folder that uid {uid} can look into, such as /etc/jeton, and {elsewhere}"
                );
            }
            false if self.owner == *uid => format!("chmod u+r {shown}"),
            false if is_key => {
                format!("chgrp {gid} {shown}; chmod 640 {shown}")
            }
            // Others have no right, but the group does: the file is meant for a group.
            false if reader == 0 && self.mode & 0o040 != 0 => format!("chgrp {gid} {shown}"),
            false => format!("chmod o+r {shown}"),
        };
        match reader {
            _ if reader == 0 || reader == self.owner => change,
            _ => format!("have root run: {change}; or {elsewhere}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Denied = Denied {
        uid: 998,
        gid: 997,
        daemon: 998,
        owner: 0,
        group: 0,
        mode: 0o640,
        is_folder: false,
    };

    #[test]
    fn the_remedy_grants_the_daemon_user_only_the_missing_right() {
        let folder = Denied {
            is_folder: true,
            mode: 0o700,
            ..FILE
        };
        let private = Denied {
            mode: 0o600,
            ..FILE
        };
        let own = |denied| Denied {
            owner: 998,
            mode: 0o000,
            ..denied
        };
        for (denied, path, is_key, reader, says) in [
            (
                FILE,
                "/etc/jeton/config.toml",
                false,
                0,
                "chgrp 997 /etc/jeton/config.toml",
            ),
            (
                private,
                "/etc/jeton/config.toml",
                false,
                0,
                "chmod o+r /etc/jeton/config.toml",
            ),
            (
                FILE,
                "/etc/c",
                false,
                998,
                "have root run: chmod o+r /etc/c; or ELSEWHERE",
            ),
            (own(FILE), "/c", false, 998, "chmod u+r /c"),
            (own(folder), "/c", false, 998, "chmod u+x /c"),
            (folder, "/etc/jeton", false, 0, "chmod o+x /etc/jeton"),
            (
                folder,
                "/root",
                false,
                0,
                "keep it in a folder that uid 998 can look into, such as /etc/jeton, and ELSEWHERE",
            ),
            (
                private,
                "/etc/k",
                true,
                0,
                "chgrp 997 /etc/k; chmod 640 /etc/k",
            ),
            (private, "/etc/ca", false, 0, "chmod o+r /etc/ca"),
        ] {
            let remedy = denied.remedy(Path::new(path), is_key, reader, "ELSEWHERE");
            assert_eq!(remedy, says, "{denied:?} {is_key} {reader}");
        }
        let looks = Denied { uid: 1_000, ..FILE };
        let remedy = looks.remedy(Path::new("/etc/c"), false, 1_000, "ELSEWHERE");
        assert_eq!(remedy, "run this as root or as uid 998");
        assert!(looks.is_of_another() && !FILE.is_of_another());
    }
}
