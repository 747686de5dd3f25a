//! The socket unit of a target's daemon, and whether its socket lets in those whom the configuration lets in.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::User;

use super::target::Target;
use crate::config::{Names as _, SocketMode};
use crate::daemon::sockets::unit::{Access, Unfit};
use crate::file_lock::{FileLock, NotLocked};
use crate::paths::{Env, PathError, SYSTEM_CONFIG, SocketPlaces};
use crate::process::manager::Manager;
use crate::settings::names::System;

/// The folders of the system's units, the first one counts (systemd.unit(5)).
const OF_THE_SYSTEM: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

const UNIT: &str = "jetond.socket";

/// The mode of a socket whose unit does not say it (systemd.socket(5)).
const DEFAULT_MODE: u32 = 0o666;

/// The manager that makes the socket of the daemon that reads this configuration.
pub(super) fn manager(target: &Target) -> Manager {
    if target.system || target.config == Path::new(SYSTEM_CONFIG) {
        Manager::System
    } else {
        Manager::User
    }
}

/// Why the socket of the target's unit does not fit this mode. Returns `None` if it fits, or if no unit makes it.
pub(super) fn unfit(target: &Target, env: &Env, mode: SocketMode) -> Option<Unfit> {
    let manager = manager(target);
    let socket = places(manager, env).ok()?.token;
    let settings = Settings::of(manager, Path::new("/"));
    match socket.symlink_metadata() {
        Ok(meta) if meta.file_type().is_socket() => {
            let is_made_by_unit = match lock(&socket) {
                Lock::Absent => true,
                Lock::Free => settings.is_some(),
                Lock::Held => false,
            };
            is_made_by_unit.then(|| Unfit::of(&socket, mode))?
        }
        Ok(_) => None,
        // The socket is not made yet, or its unit is stopped.
        Err(_) => Unfit::with_access(&socket, mode, settings?.access()?),
    }
}

/// Where the manager's sockets are.
pub(super) fn places(manager: Manager, env: &Env) -> Result<SocketPlaces, PathError> {
    match manager {
        Manager::User => super::sockets::find(env, None, None, Path::is_dir),
        Manager::System => {
            let env = Env {
                xdg_runtime_dir: None,
                socket: None,
                admin_socket: None,
                ..env.clone()
            };
            super::sockets::find(&env, None, None, |_| false)
        }
    }
}

/// The lock that a daemon holds beside a socket that it has bound itself. It stays as a file when the daemon has ended.
enum Lock {
    Absent,
    Free,
    Held,
}

fn lock(socket: &Path) -> Lock {
    let mut path = OsString::from(socket);
    path.push(".lock");
    // A file that another user put there must not make us wait.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = fs::File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    match file {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Lock::Absent,
        // It is another user's daemon's.
        Err(_) => Lock::Held,
        Ok(file) => match FileLock::try_shared(file) {
            Err(NotLocked::Held) => Lock::Held,
            _ => Lock::Free,
        },
    }
}

/// What the system's socket unit and its drop-ins say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Settings {
    mode: Option<u32>,
    user: String,
    group: String,
}

// === impl Settings ===

impl Settings {
    /// Reads the installed unit below this root folder; `None` without one. Users run daemons by hand where a
    /// distribution installs the user's unit for everybody, so that one is not read.
    fn of(manager: Manager, root: &Path) -> Option<Self> {
        if manager == Manager::User {
            return None;
        }
        let folders = OF_THE_SYSTEM.map(|folder| root.join(folder.trim_start_matches('/')));
        let unit = folders
            .iter()
            .find_map(|folder| fs::read_to_string(folder.join(UNIT)).ok())?;
        // A masked unit is a link to /dev/null.
        let mut settings = Self::default();
        if unit.is_empty() {
            return None;
        }
        settings.read(&unit);
        for path in drop_ins(&folders) {
            settings.read(&fs::read_to_string(path).unwrap_or_default());
        }
        Some(settings)
    }

    /// Reads lines over what is there: the last one counts.
    fn read(&mut self, text: &str) {
        for line in text.lines() {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let value = value.trim();
            match key.trim() {
                "SocketMode" => self.mode = u32::from_str_radix(value, 8).ok(),
                "SocketUser" => value.clone_into(&mut self.user),
                "SocketGroup" => value.clone_into(&mut self.group),
                // What `jetond setup socket` gives for a group that systemd cannot look up.
                "ExecStartPost" => {
                    if let Some(("chgrp", rest)) = value.split_once(' ')
                        && let Some((group, _)) = rest.trim_start().split_once(' ')
                    {
                        group.clone_into(&mut self.group);
                    }
                }
                _ => {}
            }
        }
    }

    /// The access to a socket that is made so; `None` where the machine does not know the user or the group.
    fn access(&self) -> Option<Access> {
        let group = match (self.group.as_str(), self.user.as_str()) {
            ("", "") => 0,
            // With a user alone, the socket has the user's group.
            ("", user) => User::from_name(user).ok()??.gid.as_raw(),
            (group, _) => match group.parse() {
                Ok(gid) => gid,
                Err(_) => System.group(group).ok()??,
            },
        };
        Some(Access {
            mode: self.mode.unwrap_or(DEFAULT_MODE),
            group,
        })
    }
}

/// The drop-ins of the unit in the order in which they count: by their names, and for each name the first folder.
fn drop_ins(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = vec![];
    for folder in folders {
        let entries = fs::read_dir(folder.join(format!("{UNIT}.d")));
        for entry in entries.into_iter().flatten().flatten() {
            let path = entry.path();
            let is_drop_in = path.extension().is_some_and(|end| end == "conf");
            let is_known = found
                .iter()
                .any(|known| known.file_name() == path.file_name());
            if is_drop_in && !is_known {
                found.push(path);
            }
        }
    }
    found.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_and_its_drop_ins_are_read_as_systemd_reads_them() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let read = || Settings::of(Manager::System, root.path());
        assert_eq!(read(), None);
        write("usr/lib/systemd/system/jetond.socket", "[Socket]\n");
        assert_eq!(read(), Some(Settings::default()));
        let shipped = fs::read_to_string("systemd/system/jetond.socket").unwrap();
        write("etc/systemd/system/jetond.socket", &shipped);
        let settings = |mode, group: &str| Settings {
            mode: Some(mode),
            user: "jeton".to_owned(),
            group: group.to_owned(),
        };
        assert_eq!(read(), Some(settings(0o600, "")));
        // Every folder counts for drop-ins, and the name decides.
        let drop_in = "systemd/system/jetond.socket.d";
        write(
            &format!("etc/{drop_in}/b.conf"),
            "[Socket]\nSocketGroup=team\nSocketMode=0660\n",
        );
        write(
            &format!("usr/lib/{drop_in}/a.conf"),
            "[Socket]\nSocketMode=0666\n",
        );
        write(
            &format!("usr/lib/{drop_in}/b.conf"),
            "[Socket]\nSocketMode=0666\n",
        );
        write(
            &format!("etc/{drop_in}/z.conf~"),
            "[Socket]\nSocketMode=0666\n",
        );
        assert_eq!(read(), Some(settings(0o660, "team")));
        write(
            &format!("etc/{drop_in}/c.conf"),
            "[Socket]\n#SocketMode=0666\n SocketMode = 0600\n",
        );
        assert_eq!(read(), Some(settings(0o600, "team")));
        write(
            &format!("etc/{drop_in}/d.conf"),
            "[Socket]\nSocketMode=0660\nExecStartPost=chgrp 60050 %t/jeton/jeton.sock\nExecStartPost=true\n",
        );
        assert_eq!(read(), Some(settings(0o660, "60050")));
        write("etc/systemd/system/jetond.socket", "");
        assert_eq!(read(), None, "it is masked");
        assert_eq!(Settings::of(Manager::User, root.path()), None);
    }

    #[test]
    fn a_unit_without_a_group_gives_the_users() {
        let access = |user: &str, group: &str| {
            let settings = Settings {
                mode: None,
                user: user.to_owned(),
                group: group.to_owned(),
            };
            settings.access().map(|access| (access.mode, access.group))
        };
        assert_eq!(access("", ""), Some((0o666, 0)));
        assert_eq!(access("root", ""), Some((0o666, 0)));
        assert_eq!(access("root", "60050"), Some((0o666, 60_050)));
        assert_eq!(access("no-such-user-here", ""), None);
        assert_eq!(access("", "no-such-group-here"), None);
    }
}
