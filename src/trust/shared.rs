//! The folder of a socket: created and judged here. A group or every user may have access to it, but no other user can
//! change it.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, Stat, accessat};
use rustix::io::Errno;

use super::private::{make, missing_folders, open_folder, open_private, set};
use super::{Purpose, TrustFault, UntrustedPath, acl, group, is_volume, resolve_in_volume};

/// The folder of the system's sockets, which systemd creates for the shipped units (`DirectoryMode=0755`). systemd does
/// not change the mode of an existing folder.
const OF_THE_SYSTEM: &str = "/run/jeton";

/// The users with access to a folder, besides its owner and root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// No other user.
    Nobody,
    /// The members of this group. They can reach entries by name, but cannot list the folder.
    Group(u32),
    /// Every user.
    Everybody,
}

/// The folder of a socket, with its required properties.
#[derive(Debug, Clone, Copy)]
pub struct SocketFolder<'a> {
    /// Its path.
    pub path: &'a Path,
    /// Its required owner.
    pub uid: u32,
    /// The other users with access.
    pub sharing: Sharing,
    /// Whether the user named the place: if so, an existing folder is not changed.
    pub named: bool,
    /// How many folders deep it may be in a volume that every user can write to ([`super::is_volume`]); `None` refuses
    /// such a volume.
    pub below_volume: Option<usize>,
}

// === impl SocketFolder ===

impl SocketFolder<'_> {
    /// Ensures that this is a folder of `uid`, that exactly these other users have access, and that no other user can
    /// replace it. Creates it if it is missing, as well as missing folders above it. If it is in a volume that every
    /// user can write to, returns that volume: those users could still replace the folder.
    ///
    /// Adapts an existing folder, unless the user named it; a named folder must already have exactly the right access.
    /// At no moment is the folder open to more users than before or after.
    ///
    /// # Errors
    /// [`UntrustedPath`] if the path is a link or not a folder, if the folder belongs to another user or can be written
    /// to by others, if its access is wrong and not ours to change, or if others could replace a folder above it.
    pub fn prepare(&self) -> Result<Option<PathBuf>, UntrustedPath> {
        self.examine(true)
    }

    /// Returns the result of [`SocketFolder::prepare`], but changes nothing.
    ///
    /// # Errors
    /// The errors of [`SocketFolder::prepare`], also if a missing folder could not be created.
    pub fn judge(&self) -> Result<Option<PathBuf>, UntrustedPath> {
        self.examine(false)
    }

    /// Judges the folder; creates or adapts it if `is_made`.
    fn examine(&self, is_made: bool) -> Result<Option<PathBuf>, UntrustedPath> {
        let purpose = Purpose::Socket { named: self.named };
        self.examine_inside(is_made)
            .map_err(|untrusted| untrusted.meant_for(purpose))
    }

    fn examine_inside(&self, is_made: bool) -> Result<Option<PathBuf>, UntrustedPath> {
        let in_volume =
            |path, below| resolve_in_volume(path, self.uid, below).map(|way| way.volume);
        if self.below_volume.is_some() && is_volume(self.path) {
            return in_volume(self.path, self.below_volume);
        }
        let missing = missing_folders(self.path);
        if let Some(first) = missing.first() {
            let parent = first.parent().filter(|path| !path.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new("."));
            let below = self
                .below_volume
                .and_then(|most| most.checked_sub(missing.len()));
            let volume = in_volume(parent, below)?;
            if !is_made {
                let rights = Access::WRITE_OK | Access::EXEC_OK;
                return match accessat(CWD, parent, rights, AtFlags::EACCESS) {
                    Err(e @ (Errno::ACCESS | Errno::ROFS)) => {
                        Err(UntrustedPath::new(first, TrustFault::io("make", e.into())))
                    }
                    // The kernel gives no answer; only creating the folder would show it.
                    _ => Ok(volume),
                };
            }
        }
        socket_dir(self, is_made)?;
        in_volume(self.path, self.below_volume)
    }
}

/// Creates and judges the folder itself, but not whether others could replace it.
fn socket_dir(place: &SocketFolder<'_>, is_made: bool) -> Result<File, UntrustedPath> {
    let SocketFolder {
        path, uid, sharing, ..
    } = *place;
    let (group, mode) = (sharing.group(), sharing.mode());
    if is_made {
        for missing in missing_folders(path) {
            make(&missing, uid, group, mode).map_err(|why| UntrustedPath::new(&missing, why))?;
        }
    }
    let adapt = !place.named;
    let untrusted = |why| UntrustedPath::new(path, why);
    if let Some(mode) = would_lock_out_system_users(place) {
        return Err(untrusted(TrustFault::OfTheSystem { mode }));
    }
    if !adapt && sharing == Sharing::Nobody {
        return open_private(path, uid).map_err(|e| whose(path, uid, e));
    }
    let folder = open_folder(path).map_err(|why| whose(path, uid, untrusted(why)))?;
    let stat = rustix::fs::fstat(&folder)
        .map_err(|e| untrusted(TrustFault::io("read the state of", e.into())))?;
    let found = FolderState::new(&stat);
    found
        .judge(uid, sharing, adapt)
        .or_else(|why| match adapt {
            true => group::accept_private(why, uid, || acl::of_file(&folder)),
            false => Err(why),
        })
        .map_err(untrusted)?;
    if is_made && adapt && !found.is(sharing) {
        // Closed first, so that the old group does not get the access of the new one.
        set(&folder, None, 0o700)
            .and_then(|()| set(&folder, group, mode))
            .map_err(untrusted)?;
    }
    Ok(folder)
}

/// Returns the mode of the folder if it is the folder of the system's sockets and adapting it would lock out users who
/// have access now. The service's users need that access. While the service's sockets are stopped, the folder looks
/// like a leftover.
fn would_lock_out_system_users(place: &SocketFolder<'_>) -> Option<u32> {
    let stat = rustix::fs::lstat(place.path).ok()?;
    let system = rustix::fs::stat(OF_THE_SYSTEM).ok()?;
    if (stat.st_dev, stat.st_ino) != (system.st_dev, system.st_ino) {
        return None;
    }
    let found = FolderState::new(&stat);
    let is_changed = !place.named || found.judge(place.uid, place.sharing, false).is_err();
    (is_changed && found.would_lose_users(place.uid, place.sharing)).then_some(found.mode)
}

/// Replaces the error if the folder belongs to another user. Opening it may already fail, and its owner explains more.
fn whose(path: &Path, uid: u32, untrusted: UntrustedPath) -> UntrustedPath {
    match (&untrusted.why, rustix::fs::lstat(path)) {
        (TrustFault::Io { .. }, Ok(stat)) if stat.st_uid != uid => {
            let why = TrustFault::NotOurs {
                owner: stat.st_uid,
                uid,
            };
            UntrustedPath::new(path, why)
        }
        _ => untrusted,
    }
}

/// Returns the nearest folder above the socket's folder that blocks the other users' access, if any. A user's runtime
/// folder always does: it is private to that user, whatever it contains. Missing folders are skipped.
pub fn barrier(socket: &Path, sharing: Sharing) -> Option<PathBuf> {
    let stops = |folder: &&Path| {
        rustix::fs::stat(*folder).is_ok_and(|stat| {
            let found = FolderState::new(&stat);
            match sharing {
                Sharing::Nobody => false,
                Sharing::Group(group) if found.group == group => found.mode & 0o010 == 0,
                Sharing::Group(_) | Sharing::Everybody => found.mode & 0o001 == 0,
            }
        })
    };
    socket.ancestors().skip(2).find(stops).map(Path::to_owned)
}

/// Facts about a folder.
#[derive(Debug, Clone, Copy)]
struct FolderState {
    owner: u32,
    group: u32,
    mode: u32,
}

// === impl Sharing ===

impl Sharing {
    /// Returns who has access to an existing folder; `None` if it cannot be read.
    pub fn of_folder(path: &Path) -> Option<Self> {
        let found = FolderState::new(&rustix::fs::lstat(path).ok()?);
        Some(match (found.mode & 0o007, found.mode & 0o070) {
            (0, 0) => Self::Nobody,
            (0, _) => Self::Group(found.group),
            _ => Self::Everybody,
        })
    }

    const fn group(self) -> Option<u32> {
        match self {
            Self::Group(group) => Some(group),
            Self::Nobody | Self::Everybody => None,
        }
    }

    /// Returns the mode to set.
    const fn mode(self) -> u16 {
        match self {
            Self::Nobody => 0o700,
            Self::Group(_) => 0o710,
            Self::Everybody => 0o755,
        }
    }

    /// Returns the largest and the smallest access of others in a folder that the user named.
    const fn most_and_least(self) -> (u32, u32) {
        match self {
            Self::Nobody => (0, 0),
            Self::Group(_) => (0o050, 0o010),
            Self::Everybody => (0o055, 0o011),
        }
    }
}

// === impl Found ===

impl FolderState {
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_lossless,
        reason = "the fields' widths differ between systems"
    )]
    fn new(stat: &Stat) -> Self {
        Self {
            owner: stat.st_uid,
            group: stat.st_gid,
            mode: stat.st_mode as u32 & 0o7777,
        }
    }

    /// Reports whether its access is that of a newly created folder.
    fn is(self, sharing: Sharing) -> bool {
        self.mode & 0o777 == u32::from(sharing.mode())
            && sharing.group().is_none_or(|group| group == self.group)
    }

    /// Reports whether it is a sound folder of `uid`, and adapting it would lock out users who have access now.
    fn would_lose_users(self, uid: u32, sharing: Sharing) -> bool {
        let is_sound = self.owner == uid && self.mode & 0o022 == 0;
        let is_of_another_group = sharing.group().is_some_and(|group| group != self.group);
        let lost = self.mode & 0o077 & !u32::from(sharing.mode());
        is_sound && (lost != 0 || (is_of_another_group && self.mode & 0o070 != 0))
    }

    fn judge(self, uid: u32, sharing: Sharing, adapt: bool) -> Result<(), TrustFault> {
        if self.owner != uid {
            return Err(TrustFault::NotOurs {
                owner: self.owner,
                uid,
            });
        }
        if self.mode & 0o022 != 0 {
            return Err(TrustFault::Writable {
                mode: self.mode,
                owner: self.owner,
                group: self.group,
                doubt: None,
            });
        }
        let (most, least) = sharing.most_and_least();
        let theirs = self.mode & 0o077;
        let fits = theirs & !most == 0 && theirs & least == least;
        let group = sharing.group().filter(|&group| group != self.group);
        if adapt || (fits && group.is_none()) {
            return Ok(());
        }
        Err(TrustFault::Shared {
            mode: self.mode,
            right: sharing.mode(),
            group,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: FolderState = FolderState {
        owner: 1_000,
        group: 50,
        mode: 0o700,
    };

    #[test]
    fn a_named_folder_must_admit_exactly_the_users_of_the_socket_mode() {
        let team = Sharing::Group(50);
        for (sharing, mode, good) in [
            (Sharing::Nobody, 0o700, true),
            (Sharing::Nobody, 0o710, false),
            (Sharing::Nobody, 0o701, false),
            (team, 0o710, true),
            (team, 0o750, true),
            (team, 0o2750, true),
            (team, 0o700, false),
            (team, 0o740, false),
            (team, 0o711, false),
            (team, 0o755, false),
            (team, 0o770, false),
            (team, 0o1770, false),
            (Sharing::Group(51), 0o710, false),
            (Sharing::Everybody, 0o755, true),
            (Sharing::Everybody, 0o711, true),
            (Sharing::Everybody, 0o710, false),
            (Sharing::Everybody, 0o700, false),
            (Sharing::Everybody, 0o777, false),
            (Sharing::Everybody, 0o1777, false),
        ] {
            let found = FolderState { mode, ..OURS };
            let verdict = found.judge(1_000, sharing, false);
            assert_eq!(verdict.is_ok(), good, "{sharing:?} {mode:o}");
            assert!(found.judge(1_001, sharing, true).is_err());
            assert!(
                FolderState { owner: 0, ..found }
                    .judge(1_000, sharing, true)
                    .is_err()
            );
        }
    }

    #[test]
    fn a_narrower_folder_mode_or_another_group_loses_users() {
        let (nobody, team, other) = (Sharing::Nobody, Sharing::Group(50), Sharing::Group(51));
        for (mode, sharing, lost) in [
            (0o755, nobody, true),
            (0o711, nobody, true),
            (0o710, nobody, true),
            (0o2750, nobody, true),
            (0o700, nobody, false),
            (0o755, team, true),
            (0o750, team, true),
            (0o710, team, false),
            (0o700, team, false),
            (0o710, other, true),
            (0o701, other, true),
            (0o700, other, false),
            (0o755, Sharing::Everybody, false),
            (0o711, Sharing::Everybody, false),
            (0o710, Sharing::Everybody, false),
            // A folder that others can write to has a fault of its own.
            (0o777, nobody, false),
            (0o775, team, false),
        ] {
            let found = FolderState { mode, ..OURS };
            assert_eq!(
                found.would_lose_users(1_000, sharing),
                lost,
                "{mode:o} {sharing:?}"
            );
            assert!(!found.would_lose_users(0, sharing), "another user's");
        }
    }

    #[test]
    fn a_parent_folder_that_excludes_users_is_found() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let closed = dir.path().join("closed");
        std::fs::create_dir(&closed).unwrap();
        let socket = closed.join("jeton/jeton.sock");
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(dir.path(), 0o711);
        let ours = Sharing::Group(rustix::process::getegid().as_raw());
        let other = Sharing::Group(4_294_967_294);
        for (mode, open_to) in [
            (0o700, vec![]),
            (0o710, vec![ours]),
            (0o711, vec![ours, other, Sharing::Everybody]),
            (0o701, vec![other, Sharing::Everybody]),
        ] {
            set(&closed, mode);
            for sharing in [ours, other, Sharing::Everybody] {
                let stopped = (!open_to.contains(&sharing)).then(|| closed.clone());
                assert_eq!(barrier(&socket, sharing), stopped, "{mode:o} {sharing:?}");
            }
            assert_eq!(barrier(&socket, Sharing::Nobody), None);
        }
    }

    #[test]
    fn our_own_folder_is_refused_only_if_others_can_write_to_it() {
        for (mode, good) in [
            (0o700, true),
            (0o710, true),
            (0o755, true),
            (0o720, false),
            (0o702, false),
            (0o1777, false),
        ] {
            for sharing in [Sharing::Nobody, Sharing::Group(7), Sharing::Everybody] {
                let verdict = FolderState { mode, ..OURS }.judge(1_000, sharing, true);
                assert_eq!(verdict.is_ok(), good, "{sharing:?} {mode:o}");
            }
        }
    }
}
