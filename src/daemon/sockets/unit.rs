//! Checks whether the socket that a service manager creates admits the users that `[socket] mode` admits.
//!
//! With socket activation, the socket unit decides the mode and the group of the socket (systemd.socket(5)). The daemon
//! does not change them, because the manager would undo the change at its next start.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::drop_in::DropIn;
use super::socket_spec::sharing;
use crate::config::SocketMode;
use crate::process::manager::SystemdManager;
use crate::trust::barrier;

/// Contains the runtime folder of each user, where the user's manager creates sockets.
const OF_USERS: &str = "/run/user";

/// The reason why a service manager's socket does not fit the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketMisfit {
    socket: PathBuf,
    wanted: SocketMode,
    why: MisfitReason,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum MisfitReason {
    /// The socket has the wrong mode or group.
    Access(Access, Difference),
    /// Other users cannot pass this folder, which is above the socket's own.
    Above(PathBuf),
    /// Other users cannot enter the socket's own folder.
    Folder(PathBuf),
}

/// The users that can connect to a socket, besides its owner and root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The mode bits. Connecting requires write permission (unix(7)).
    pub mode: u32,
    /// The group.
    pub group: u32,
}

/// How the access differs from the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Difference {
    Narrower,
    Wider,
    OtherGroup,
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

impl SocketMisfit {
    /// Compares a service manager's socket with the mode in the configuration. Returns `None` if it fits, or if the
    /// socket cannot be seen.
    pub fn of(socket: &Path, wanted: SocketMode) -> Option<Self> {
        let access = Access::of(socket)?;
        Self::with_access(socket, wanted, access)
    }

    /// Compares a socket that its unit creates with this access.
    pub fn with_access(socket: &Path, wanted: SocketMode, access: Access) -> Option<Self> {
        Self::of_folders(socket, wanted).or_else(|| {
            let difference = access.differs(wanted)?;
            Some(Self::new(
                socket,
                wanted,
                MisfitReason::Access(access, difference),
            ))
        })
    }

    /// Compares only the folders.
    pub fn of_folders(socket: &Path, wanted: SocketMode) -> Option<Self> {
        let sharing = sharing(wanted);
        let above = barrier(socket, sharing).map(MisfitReason::Above);
        // `barrier` ignores the last two names of a path: the socket and its folder.
        let own = || barrier(&socket.join("-"), sharing).map(MisfitReason::Folder);
        let why = above.or_else(own)?;
        Some(Self::new(socket, wanted, why))
    }

    fn new(socket: &Path, wanted: SocketMode, why: MisfitReason) -> Self {
        Self {
            socket: socket.to_owned(),
            wanted,
            why,
        }
    }

    /// Returns what is wrong.
    pub fn found(&self) -> String {
        let (socket, wanted) = (self.socket.display(), self.wanted.as_str());
        let says = format!("[socket] mode = \"{wanted}\"");
        match &self.why {
            MisfitReason::Above(folder) | MisfitReason::Folder(folder) => format!(
                "{says} lets other users connect to {socket}, but they do not get through {}",
                folder.display()
            ),
            MisfitReason::Access(Access { mode, group }, difference) => {
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

    /// Returns what to do about it, if this manager creates the socket.
    pub fn remedy(&self, manager: SystemdManager) -> String {
        match &self.why {
            MisfitReason::Above(_) => "that folder is private to its user: serve other users by the system's service, or by jetond run --socket in a folder that they get through".to_owned(),
            MisfitReason::Folder(folder) => format!(
                "chmod 755 {}, and DirectoryMode=0755 in jetond.socket",
                folder.display()
            ),
            MisfitReason::Access(..) => DropIn::new(self.wanted, manager).remedy(),
        }
    }

    /// Whether a folder above the socket keeps other users out. In that case no drop-in helps.
    pub const fn is_above(&self) -> bool {
        matches!(self.why, MisfitReason::Above(_))
    }
}

/// Returns how the socket of this process's manager differs from the configuration, and what to do about it, in one
/// line.
pub fn misfit(socket: &Path, wanted: SocketMode) -> Option<String> {
    let unfit = SocketMisfit::of(socket, wanted)?;
    let remedy = unfit.remedy(manager_of(socket));
    Some(format!("{}: {remedy}", unfit.found()))
}

/// Returns the manager that creates a socket at this path. It is our parent process if that is a manager.
pub fn manager_of(socket: &Path) -> SystemdManager {
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    parent
        .and_then(SystemdManager::of)
        .unwrap_or_else(|| usual_manager_of(socket))
}

/// Returns the manager that creates a socket at this path, judged by the path only.
pub fn usual_manager_of(socket: &Path) -> SystemdManager {
    if socket.starts_with(OF_USERS) {
        SystemdManager::User
    } else {
        SystemdManager::System
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_mode_that_differs_from_the_configuration_is_classified() {
        use Difference::{Narrower, OtherGroup, Wider};
        let team = SocketMode::Group(50);
        for (wanted, mode, group, differs) in [
            (SocketMode::Private, 0o600, 0, None),
            // Read permission does not allow connecting.
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
            // This mode would keep out the members of the group.
            (SocketMode::All, 0o606, 50, Some(Narrower)),
        ] {
            let access = Access { mode, group };
            assert_eq!(access.differs(wanted), differs, "{wanted:?} {access:?}");
        }
    }

    #[test]
    fn a_folder_that_excludes_users_is_reported_before_the_socket_mode() {
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
            let unfit = SocketMisfit::of(&socket, wanted);
            assert_eq!(unfit.is_some(), found.is_some(), "{unfit:?}");
            let Some(unfit) = unfit else { continue };
            assert!(unfit.found().contains(found.unwrap()), "{unfit:?}");
            let said = unfit.remedy(SystemdManager::System);
            assert!(said.contains(remedy), "{said}");
            assert_eq!(unfit.is_above(), above == 0o700 && wanted == all);
        }
        std::fs::remove_file(&socket).unwrap();
        assert_eq!(SocketMisfit::of(&socket, all), None);
    }
}
