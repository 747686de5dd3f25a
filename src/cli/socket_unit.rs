//! The socket unit of a target's daemon, and whether its socket admits the users whom the configuration allows.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, User};

use super::target::Target;
use super::unit_files::UnitFiles;
use crate::config::{Names as _, SocketMode};
use crate::daemon::sockets::unit::{Access, SocketMisfit};
use crate::file_lock::{FileLock, NotLocked};
use crate::paths::{Env, PathError, SYSTEM_CONFIG, SocketPlaces};
use crate::process::manager::SystemdManager;
use crate::settings::names::System;

const UNIT: &str = "jetond.socket";

const ADMIN_UNIT: &str = "jetond-admin.socket";

/// The paths of the sockets in the shipped units.
pub(super) const USUAL: &str = "/run/jeton/jeton.sock";
const USUAL_ADMIN: &str = "/run/jeton-admin/admin.sock";

/// The mode of a socket if its unit does not set one (systemd.socket(5)).
const DEFAULT_MODE: u32 = 0o666;

/// The manager that makes the socket of the daemon that reads this configuration.
pub(super) fn manager(target: &Target) -> SystemdManager {
    if target.system || target.config == Path::new(SYSTEM_CONFIG) {
        SystemdManager::System
    } else {
        SystemdManager::User
    }
}

/// The reason why the socket of the target's unit does not fit this mode. `None` if it fits, or if no unit makes it.
pub(super) fn unfit(target: &Target, env: &Env, mode: SocketMode) -> Option<SocketMisfit> {
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
            is_made_by_unit.then(|| SocketMisfit::of(&socket, mode))?
        }
        Ok(_) => None,
        // The socket is not made yet, or its unit is stopped.
        Err(_) => SocketMisfit::with_access(&socket, mode, settings?.access()?),
    }
}

/// The reason why systemd cannot make the system's socket at its next start, and the remedy, if its unit names a group
/// that the machine does not know.
pub(super) fn lost_group(target: &Target) -> Option<(String, String)> {
    let settings = Settings::of(manager(target), Path::new("/"))?;
    let group = settings.unknown_group()?;
    Some((
        format!(
            "{UNIT} has SocketGroup={group}, which this machine does not know: systemd cannot make the socket when the unit starts again, as at a boot"
        ),
        "create the group, or correct [socket] group and run the lines that this prints: jetond setup socket --system".to_owned(),
    ))
}

/// The sockets of the system's units.
pub(super) struct UnitSockets {
    pub(super) token: PathBuf,
    pub(super) admin: PathBuf,
}

/// The paths of the system units' sockets, if they differ from the usual ones (`ListenStream=`).
pub(super) fn moved() -> Option<UnitSockets> {
    moved_below(Path::new("/"))
}

fn moved_below(root: &Path) -> Option<UnitSockets> {
    let [token, admin] = [(UNIT, USUAL), (ADMIN_UNIT, USUAL_ADMIN)].map(|(unit, usual)| {
        let at = UnitFiles::read(root, unit).and_then(|files| listens_at(&files));
        at.unwrap_or_else(|| usual.into())
    });
    let is_usual = token == Path::new(USUAL) && admin == Path::new(USUAL_ADMIN);
    (!is_usual).then_some(UnitSockets { token, admin })
}

/// The first socket of a unit that has a path.
fn listens_at(files: &UnitFiles) -> Option<PathBuf> {
    let mut paths: Vec<PathBuf> = vec![];
    for (_, value) in files.settings().filter(|(key, _)| *key == "ListenStream") {
        match value {
            "" => paths.clear(),
            // `%t` is the runtime folder, here the system's.
            _ => paths.push(value.replacen("%t", "/run", 1).into()),
        }
    }
    paths.into_iter().find(|path| path.is_absolute())
}

/// The paths of the manager's sockets.
pub(super) fn places(manager: SystemdManager, env: &Env) -> Result<SocketPlaces, PathError> {
    match manager {
        SystemdManager::User => super::sockets::find(env, None, None, Path::is_dir),
        SystemdManager::System => {
            let env = Env {
                xdg_runtime_dir: None,
                socket: None,
                admin_socket: None,
                ..env.clone()
            };
            let moved = moved();
            let token = moved.as_ref().map(|moved| &*moved.token);
            let admin = moved.as_ref().map(|moved| &*moved.admin);
            super::sockets::find(&env, token, admin, |_| false)
        }
    }
}

/// The lock that a daemon holds beside a socket that it has bound itself. The file stays when the daemon ends.
enum Lock {
    Absent,
    Free,
    Held,
}

fn lock(socket: &Path) -> Lock {
    let mut path = OsString::from(socket);
    path.push(".lock");
    // A FIFO that another user put there must not block this call.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = fs::File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    match file {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Lock::Absent,
        // The file belongs to another user's daemon.
        Err(_) => Lock::Held,
        Ok(file) => match FileLock::try_shared(file) {
            Err(NotLocked::Held) => Lock::Held,
            _ => Lock::Free,
        },
    }
}

/// The settings in the system's socket unit and its drop-ins.
#[derive(Debug, Default, PartialEq, Eq)]
struct Settings {
    mode: Option<u32>,
    user: String,
    /// The resulting group of the socket.
    group: String,
    /// The group of `SocketGroup=`.
    socket_group: String,
}

// === impl Settings ===

impl Settings {
    /// Reads the installed unit below this root folder; `None` without one. The user's unit is not read: a distribution
    /// may install it for all users, who often run daemons by hand.
    fn of(manager: SystemdManager, root: &Path) -> Option<Self> {
        if manager == SystemdManager::User {
            return None;
        }
        let files = UnitFiles::read(root, UNIT)?;
        let mut settings = Self::default();
        for (key, value) in files.settings() {
            settings.read(key, value);
        }
        Some(settings)
    }

    /// Applies a setting; the last one counts.
    fn read(&mut self, key: &str, value: &str) {
        match key {
            "SocketMode" => self.mode = u32::from_str_radix(value, 8).ok(),
            "SocketUser" => value.clone_into(&mut self.user),
            "SocketGroup" => {
                value.clone_into(&mut self.group);
                value.clone_into(&mut self.socket_group);
            }
            // The setting that `jetond setup socket` prints for a group that systemd cannot look up.
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

    /// The group of `SocketGroup=`, if the machine does not know it: then systemd cannot make the socket.
    fn unknown_group(&self) -> Option<&str> {
        let group = Some(self.socket_group.as_str()).filter(|group| !group.is_empty())?;
        let is_unknown = match group.parse() {
            // systemd looks up a number as well.
            Ok(gid) => Group::from_gid(Gid::from_raw(gid)).is_ok_and(|found| found.is_none()),
            Err(_) => System.group(group) == Ok(None),
        };
        is_unknown.then_some(group)
    }

    /// The access to the unit's socket; `None` if the machine does not know the user or the group.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_and_drop_ins_are_merged_as_systemd_does() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let read = || Settings::of(SystemdManager::System, root.path());
        assert_eq!(read(), None);
        write("usr/lib/systemd/system/jetond.socket", "[Socket]\n");
        assert_eq!(read(), Some(Settings::default()));
        let shipped = fs::read_to_string("systemd/system/jetond.socket").unwrap();
        write("etc/systemd/system/jetond.socket", &shipped);
        let settings = |mode, group: &str| Settings {
            mode: Some(mode),
            user: "jeton".to_owned(),
            group: group.to_owned(),
            socket_group: group.to_owned(),
        };
        assert_eq!(read(), Some(settings(0o600, "")));
        // Every folder counts for drop-ins, and their names decide the order.
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
        let by_number = Settings {
            socket_group: "team".to_owned(),
            ..settings(0o660, "60050")
        };
        assert_eq!(read(), Some(by_number));
        write("etc/systemd/system/jetond.socket", "");
        assert_eq!(read(), None, "it is masked");
        assert_eq!(Settings::of(SystemdManager::User, root.path()), None);
    }

    #[test]
    fn a_unit_without_a_group_uses_the_primary_group_of_its_user() {
        let access = |user: &str, group: &str| {
            let settings = Settings {
                mode: None,
                user: user.to_owned(),
                group: group.to_owned(),
                socket_group: String::new(),
            };
            settings.access().map(|access| (access.mode, access.group))
        };
        assert_eq!(access("", ""), Some((0o666, 0)));
        assert_eq!(access("root", ""), Some((0o666, 0)));
        assert_eq!(access("root", "60050"), Some((0o666, 60_050)));
        assert_eq!(access("no-such-user-here", ""), None);
        assert_eq!(access("", "no-such-group-here"), None);
    }

    #[test]
    fn an_unknown_socket_group_is_reported() {
        for (group, is_unknown) in [
            ("", false),
            ("root", false),
            ("0", false),
            ("no-such-group-here", true),
            ("4000000123", true),
        ] {
            let settings = Settings {
                socket_group: group.to_owned(),
                ..Settings::default()
            };
            let expected = Some(group).filter(|_| is_unknown);
            assert_eq!(settings.unknown_group(), expected, "{group}");
        }
    }

    #[test]
    fn a_unit_may_listen_at_another_socket_path() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join("etc/systemd/system").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let moved = || {
            let moved = moved_below(root.path())?;
            Some([moved.token, moved.admin].map(|path| path.display().to_string()))
        };
        let [usual, admin] = [USUAL, USUAL_ADMIN];
        assert_eq!(moved(), None);
        for unit in [UNIT, ADMIN_UNIT] {
            let shipped = fs::read_to_string(format!("systemd/system/{unit}")).unwrap();
            write(unit, &shipped);
        }
        assert_eq!(moved(), None);
        // A second socket does not change the first.
        write(
            "jetond.socket.d/a.conf",
            "[Socket]\nListenStream=/run/more.sock\n",
        );
        assert_eq!(moved(), None);
        write(
            "jetond.socket.d/b.conf",
            "[Socket]\nListenStream=\nListenStream=8080\nListenStream=/run/tokens/j.sock\n",
        );
        assert_eq!(
            moved(),
            Some(["/run/tokens/j.sock".to_owned(), admin.to_owned()])
        );
        write("jetond.socket.d/b.conf", "");
        write(
            "jetond-admin.socket.d/b.conf",
            "[Socket]\nListenStream=\nListenStream=%t/a.sock\n",
        );
        assert_eq!(moved(), Some([usual.to_owned(), "/run/a.sock".to_owned()]));
    }
}
