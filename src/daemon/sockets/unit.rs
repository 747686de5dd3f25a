//! The socket that a service manager makes: whether it lets in those whom `[socket] mode` lets in, and the drop-in that
//! makes it so.
//!
//! Under socket activation the socket unit decides the mode and the group of the socket (systemd.socket(5)). The daemon
//! does not change them: the manager would make the socket as before at its next start.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::place::sharing;
use crate::config::SocketMode;
use crate::process::manager::Manager;
use crate::trust::barrier;

/// The folder of the runtime folders of users, where their managers make sockets.
const OF_USERS: &str = "/run/user";

/// Why a socket of a service manager does not do what the configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    socket: PathBuf,
    wanted: SocketMode,
    why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    /// The socket has the wrong mode or group.
    Access(Access, Difference),
    /// Other users do not get through this folder, which is above the socket's own.
    Above(PathBuf),
    /// Other users do not get into the socket's own folder.
    Folder(PathBuf),
}

/// Who can connect to a socket, besides its owner and root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The mode's bits. To connect takes the right to write (unix(7)).
    pub mode: u32,
    /// The group.
    pub group: u32,
}

/// How the access differs from what the configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Difference {
    Narrower,
    Wider,
    OtherGroup,
}

/// The drop-in for a socket unit that makes its socket as the configuration says, and the commands that put it in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropIn {
    manager: Manager,
    group: Option<SocketGroup>,
    mode: &'static str,
}

/// The group of a socket, as its unit can name it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum SocketGroup {
    /// A group of `/etc/group`, by its name, or by its number if a unit cannot have the name.
    Local(String),
    /// Another group. `SocketGroup=` fails even with its number while no directory service answers, since systemd 252
    /// looks that up as well ("Failed to resolve group"); the socket unit starts before any of them.
    Elsewhere(u32),
}

// === impl Access ===

impl Access {
    fn of(socket: &Path) -> Option<Self> {
        let meta = socket.symlink_metadata().ok()?;
        Some(Self {
            mode: meta.mode() & 0o777,
            group: meta.gid(),
        })
    }

    fn differs(self, wanted: SocketMode) -> Option<Difference> {
        let may = |bit: u32| self.mode & bit != 0;
        let (group, others) = (may(0o020), may(0o002));
        match wanted {
            SocketMode::Private if group || others => Some(Difference::Wider),
            SocketMode::Private => None,
            SocketMode::Group(_) if others => Some(Difference::Wider),
            SocketMode::Group(_) if !group => Some(Difference::Narrower),
            SocketMode::Group(gid) if gid != self.group => Some(Difference::OtherGroup),
            SocketMode::Group(_) => None,
            SocketMode::All if group && others => None,
            SocketMode::All => Some(Difference::Narrower),
        }
    }
}

// === impl Unfit ===

impl Unfit {
    /// Compares a socket of a service manager with the mode that the configuration says. Returns `None` if it fits, or
    /// if it cannot be seen.
    pub fn of(socket: &Path, wanted: SocketMode) -> Option<Self> {
        let access = Access::of(socket)?;
        Self::with_access(socket, wanted, access)
    }

    /// The same for a socket that its unit makes with this access.
    pub fn with_access(socket: &Path, wanted: SocketMode, access: Access) -> Option<Self> {
        Self::of_folders(socket, wanted).or_else(|| {
            let difference = access.differs(wanted)?;
            Some(Self::new(socket, wanted, Why::Access(access, difference)))
        })
    }

    /// The same for the folders alone.
    pub fn of_folders(socket: &Path, wanted: SocketMode) -> Option<Self> {
        let sharing = sharing(wanted);
        let above = barrier(socket, sharing).map(Why::Above);
        // The last two names are passed over: those of a socket and of its folder.
        let own = || barrier(&socket.join("-"), sharing).map(Why::Folder);
        let why = above.or_else(own)?;
        Some(Self::new(socket, wanted, why))
    }

    fn new(socket: &Path, wanted: SocketMode, why: Why) -> Self {
        Self {
            socket: socket.to_owned(),
            wanted,
            why,
        }
    }

    /// What is wrong.
    pub fn found(&self) -> String {
        let (socket, wanted) = (self.socket.display(), self.wanted.as_str());
        let says = format!("[socket] mode = \"{wanted}\"");
        match &self.why {
            Why::Above(folder) | Why::Folder(folder) => format!(
                "{says} lets other users connect to {socket}, but they do not get through {}",
                folder.display()
            ),
            Why::Access(Access { mode, group }, difference) => {
                let found = format!("its mode is {mode:04o} and its group {group}");
                let lets_in = match difference {
                    Difference::Narrower => "fewer users",
                    Difference::Wider => "more users",
                    Difference::OtherGroup => "another group",
                };
                format!("{socket} lets in {lets_in} than {says}: {found}, as its unit says")
            }
        }
    }

    /// What to do about it, where this manager makes the socket.
    pub fn remedy(&self, manager: Manager) -> String {
        match &self.why {
            Why::Above(_) => "that folder is private to its user: serve other users by the system's service, or by jetond run --socket in a folder that they get through".to_owned(),
            Why::Folder(folder) => format!(
                "chmod 755 {}, and DirectoryMode=0755 in jetond.socket",
                folder.display()
            ),
            Why::Access(..) => DropIn::new(self.wanted, manager).remedy(),
        }
    }

    /// Whether a folder above the socket keeps other users out: then no drop-in lets them in.
    pub const fn is_above(&self) -> bool {
        matches!(self.why, Why::Above(_))
    }
}

// === impl DropIn ===

impl DropIn {
    /// The drop-in for this mode.
    pub fn new(wanted: SocketMode, manager: Manager) -> Self {
        let groups = std::fs::read("/etc/group").unwrap_or_default();
        Self::with_groups(wanted, manager, &String::from_utf8_lossy(&groups))
    }

    fn with_groups(wanted: SocketMode, manager: Manager, groups: &str) -> Self {
        let (group, mode) = match wanted {
            SocketMode::Private => (None, "0600"),
            SocketMode::Group(gid) => (Some(SocketGroup::of(gid, groups)), "0660"),
            SocketMode::All => (None, "0666"),
        };
        Self {
            manager,
            group,
            mode,
        }
    }

    /// The folder of the unit's drop-ins, as a shell takes it.
    fn folder(&self) -> &'static str {
        match self.manager {
            Manager::System => "/etc/systemd/system/jetond.socket.d",
            Manager::User => "~/.config/systemd/user/jetond.socket.d",
        }
    }

    /// Where the drop-in goes, as a shell takes it. Its name comes after `override.conf`, which `systemctl edit` makes:
    /// the last one counts.
    fn path(&self) -> String {
        format!("{}/socket-mode.conf", self.folder())
    }

    fn settings(&self) -> Vec<String> {
        let mode = format!("SocketMode={}", self.mode);
        match &self.group {
            None => vec![mode],
            Some(SocketGroup::Local(name)) => vec![format!("SocketGroup={name}"), mode],
            Some(SocketGroup::Elsewhere(gid)) => {
                vec![
                    mode,
                    format!("ExecStartPost=chgrp {gid} %t/jeton/jeton.sock"),
                ]
            }
        }
    }

    /// Why the settings name no group.
    fn reason(&self) -> Option<String> {
        match self.group {
            Some(SocketGroup::Elsewhere(gid)) => Some(format!(
                "SocketGroup={gid} fails, since systemd looks it up and /etc/group does not have it"
            )),
            _ => None,
        }
    }

    fn commands(&self) -> [String; 2] {
        let systemctl = self.manager.systemctl();
        [
            format!("{systemctl} daemon-reload"),
            format!("{systemctl} restart jetond.socket"),
        ]
    }

    /// What to do, in one line.
    fn remedy(&self) -> String {
        let (settings, commands) = (self.settings().join(" and "), self.commands().join("; "));
        let option = match self.manager {
            Manager::System => " --system",
            Manager::User => "",
        };
        let reason = self.reason().map(|reason| format!(" ({reason})"));
        let settings = format!("{settings}{}", reason.unwrap_or_default());
        format!(
            "set {settings} below [Socket] in {}, then: {commands} (jetond setup socket{option} prints these lines)",
            self.path()
        )
    }

    /// The lines of a shell that do it.
    pub fn script(&self) -> String {
        let first = [
            format!("mkdir -p {}", self.folder()),
            format!("cat >{} <<'END'", self.path()),
            "[Socket]".to_owned(),
        ];
        let reason = self.reason().map(|reason| format!("# {reason}."));
        let lines = first.into_iter().chain(reason).chain(self.settings());
        let lines = lines.chain(["END".to_owned()]).chain(self.commands());
        lines.map(|line| line + "\n").collect()
    }
}

// === impl SocketGroup ===

impl SocketGroup {
    /// The group, if this text in the form of group(5) has it.
    fn of(gid: u32, groups: &str) -> Self {
        let mut names = groups.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let (name, id) = (fields.next()?, fields.nth(1)?);
            (id.parse() == Ok(gid)).then_some(name)
        });
        let is_plain = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        };
        match names.next() {
            Some(name) if is_plain(name) => Self::Local(name.to_owned()),
            Some(_) => Self::Local(gid.to_string()),
            None => Self::Elsewhere(gid),
        }
    }
}

/// The manager that makes a socket at this path, which our parent process tells if it is one.
pub fn manager_of(socket: &Path) -> Manager {
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    parent
        .and_then(Manager::of)
        .unwrap_or_else(|| usual_manager_of(socket))
}

/// The manager that makes a socket at this path, by its place.
pub fn usual_manager_of(socket: &Path) -> Manager {
    if socket.starts_with(OF_USERS) {
        Manager::User
    } else {
        Manager::System
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str =
        "root:x:0:\nteam:x:50:alice,bob\n+nis:::\nodd name:x:51:\n7:x:52:\nteam2:x:notanumber:\n";

    #[test]
    fn a_socket_lets_in_fewer_more_or_others_than_the_configuration_says() {
        use Difference::{Narrower, OtherGroup, Wider};
        let team = SocketMode::Group(50);
        for (wanted, mode, group, differs) in [
            (SocketMode::Private, 0o600, 0, None),
            // Reading does not connect.
            (SocketMode::Private, 0o644, 0, None),
            (SocketMode::Private, 0o660, 0, Some(Wider)),
            (SocketMode::Private, 0o620, 50, Some(Wider)),
            (SocketMode::Private, 0o602, 0, Some(Wider)),
            (SocketMode::Private, 0o666, 0, Some(Wider)),
            (team, 0o600, 0, Some(Narrower)),
            (team, 0o600, 50, Some(Narrower)),
            (team, 0o640, 50, Some(Narrower)),
            (team, 0o660, 50, None),
            (team, 0o664, 50, None),
            (team, 0o660, 0, Some(OtherGroup)),
            (team, 0o660, 51, Some(OtherGroup)),
            (team, 0o666, 50, Some(Wider)),
            (team, 0o666, 0, Some(Wider)),
            (SocketMode::All, 0o666, 0, None),
            (SocketMode::All, 0o777, 50, None),
            (SocketMode::All, 0o660, 50, Some(Narrower)),
            (SocketMode::All, 0o600, 0, Some(Narrower)),
            // Members of its group would be kept out.
            (SocketMode::All, 0o606, 50, Some(Narrower)),
        ] {
            let access = Access { mode, group };
            assert_eq!(access.differs(wanted), differs, "{wanted:?} {access:?}");
        }
    }

    #[test]
    fn the_drop_in_has_what_the_mode_takes_and_a_name_only_if_the_machine_itself_has_it() {
        for (wanted, settings) in [
            (SocketMode::Private, &["SocketMode=0600"][..]),
            (SocketMode::All, &["SocketMode=0666"]),
            (
                SocketMode::Group(50),
                &["SocketGroup=team", "SocketMode=0660"],
            ),
            (
                SocketMode::Group(0),
                &["SocketGroup=root", "SocketMode=0660"],
            ),
            // Of a directory service.
            (
                SocketMode::Group(60_050),
                &[
                    "SocketMode=0660",
                    "ExecStartPost=chgrp 60050 %t/jeton/jeton.sock",
                ],
            ),
            // With a name that a unit cannot have.
            (
                SocketMode::Group(51),
                &["SocketGroup=51", "SocketMode=0660"],
            ),
            (
                SocketMode::Group(52),
                &["SocketGroup=52", "SocketMode=0660"],
            ),
        ] {
            let drop_in = DropIn::with_groups(wanted, Manager::System, GROUPS);
            assert_eq!(drop_in.settings(), settings, "{wanted:?}");
        }
    }

    #[test]
    fn the_script_and_the_remedy_say_the_same_for_each_manager() {
        let team = SocketMode::Group(50);
        let system = DropIn::with_groups(team, Manager::System, GROUPS);
        assert_eq!(
            system.script(),
            "mkdir -p /etc/systemd/system/jetond.socket.d
cat >/etc/systemd/system/jetond.socket.d/socket-mode.conf <<'END'
[Socket]
SocketGroup=team
SocketMode=0660
END
systemctl daemon-reload
systemctl restart jetond.socket
"
        );
        assert_eq!(
            system.remedy(),
            "set SocketGroup=team and SocketMode=0660 below [Socket] in /etc/systemd/system/jetond.socket.d/socket-mode.conf, then: systemctl daemon-reload; systemctl restart jetond.socket (jetond setup socket --system prints these lines)"
        );
        let elsewhere = DropIn::with_groups(SocketMode::Group(60_050), Manager::System, GROUPS);
        let reason =
            "SocketGroup=60050 fails, since systemd looks it up and /etc/group does not have it";
        assert!(elsewhere.script().contains(&format!(
            "[Socket]\n# {reason}.\nSocketMode=0660\nExecStartPost=chgrp 60050 %t/jeton/jeton.sock\nEND\n"
        )));
        assert!(elsewhere.remedy().starts_with(&format!(
            "set SocketMode=0660 and ExecStartPost=chgrp 60050 %t/jeton/jeton.sock ({reason}) below"
        )));
        let user = DropIn::with_groups(SocketMode::Private, Manager::User, GROUPS);
        for line in [
            "mkdir -p ~/.config/systemd/user/jetond.socket.d\n",
            "\nSocketMode=0600\n",
            "\nsystemctl --user daemon-reload\nsystemctl --user restart jetond.socket\n",
        ] {
            assert!(user.script().contains(line), "{line}");
        }
        assert!(user.remedy().contains("(jetond setup socket prints"));
    }

    #[test]
    fn a_folder_that_keeps_others_out_counts_before_the_socket() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("jeton");
        let socket = folder.join("jeton.sock");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(&socket, "").unwrap();
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        };
        let all = SocketMode::All;
        for (above, own, mode, wanted, found, remedy) in [
            (0o755, 0o755, 0o666, all, None, ""),
            (
                0o755,
                0o755,
                0o600,
                all,
                Some("lets in fewer users than"),
                "SocketMode=0666",
            ),
            (
                0o700,
                0o755,
                0o600,
                all,
                Some("do not get through"),
                "the system's service",
            ),
            (
                0o755,
                0o700,
                0o666,
                all,
                Some("do not get through"),
                "DirectoryMode=0755",
            ),
            (0o700, 0o700, 0o600, SocketMode::Private, None, ""),
            (
                0o700,
                0o700,
                0o660,
                SocketMode::Private,
                Some("lets in more users than"),
                "SocketMode=0600",
            ),
        ] {
            set(&socket, mode);
            set(&folder, own);
            set(dir.path(), above);
            let unfit = Unfit::of(&socket, wanted);
            assert_eq!(unfit.is_some(), found.is_some(), "{unfit:?}");
            let Some(unfit) = unfit else { continue };
            assert!(unfit.found().contains(found.unwrap()), "{unfit:?}");
            let said = unfit.remedy(Manager::System);
            assert!(said.contains(remedy), "{said}");
            assert_eq!(unfit.is_above(), above == 0o700 && wanted == all);
        }
        std::fs::remove_file(&socket).unwrap();
        assert_eq!(Unfit::of(&socket, all), None);
    }
}
