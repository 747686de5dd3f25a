//! A private folder for the sockets of a daemon that serves one command.

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tempfile::TempDir;

use crate::daemon::command_files;
use crate::paths::{Env, Platform, SocketPlaces};
use crate::policy::AllowedUsers;
use crate::trust::{self, Purpose, Sharing, UntrustedPath};

/// The longest path below the folder's parent.
const LONGEST: &str = "jeton-run-123456/jeton-admin/admin.sock";

/// The number of folders between the sockets and the folder's parent. In a pod that parent may be a volume that several
/// containers share, such as an `emptyDir` at `/tmp`.
pub(super) const VOLUME_DEPTH: usize = 2;

/// The mode of a folder that others can traverse but not list.
const PASSABLE: u16 = 0o711;

/// The folder, of mode 0700, or 0711 if the command runs as another user. It is removed when this value is dropped.
pub(super) struct RunFolder {
    folder: TempDir,
    for_others: bool,
    uid: u32,
    pub(super) socket: PathBuf,
    pub(super) admin: PathBuf,
}

// === impl Place ===

impl RunFolder {
    /// Makes a folder below the user's runtime folder, else below that for temporary files, else below `/tmp`. A Slurm
    /// job has often inherited the name of a runtime folder that only the login node has, and a long name for temporary
    /// files.
    ///
    /// Guests must be able to traverse the folders above it.
    pub(super) fn new(env: &Env, guests: &AllowedUsers) -> io::Result<Self> {
        let temporary = std::path::absolute(std::env::temp_dir())?;
        let bases = env.xdg_runtime_dir.clone().into_iter();
        let bases = bases.chain([temporary, "/tmp".into()]);
        Self::below(bases, env.uid, !guests.is_empty())
    }

    /// Makes it below the first of these folders that can be used, and below one that several containers share only if
    /// there is no other. Returns the last error.
    fn below(bases: impl Iterator<Item = PathBuf>, uid: u32, for_others: bool) -> io::Result<Self> {
        let (volumes, own): (Vec<_>, Vec<_>) = bases.partition(|base| trust::is_volume(base));
        let mut last = io::ErrorKind::NotFound.into();
        for base in own.into_iter().chain(volumes) {
            match Self::try_below(&base, uid, for_others) {
                Ok(place) => return Ok(place),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn try_below(base: &Path, uid: u32, for_others: bool) -> io::Result<Self> {
        if base.join(LONGEST).as_os_str().len() > Platform::CURRENT.max_socket_path() {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let trusted = match base.parent() {
            Some(parent) if trust::is_volume(base) => parent,
            _ => base,
        };
        trust::resolve(trusted, uid).map_err(of_a_socket)?;
        let folder = tempfile::Builder::new()
            .prefix("jeton-run-")
            // The crate's default mode depends on the umask.
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(base)?;
        let place = Self {
            socket: folder.path().join("jeton/jeton.sock"),
            admin: folder.path().join("jeton-admin/admin.sock"),
            folder,
            for_others,
            uid,
        };
        if for_others {
            // The umask may have removed rights. The folder is changed only if it is still ours.
            let made = File::options()
                .read(true)
                .custom_flags((OFlags::DIRECTORY | OFlags::NOFOLLOW).bits().cast_signed())
                .open(place.folder.path())?;
            if made.metadata()?.uid() == uid {
                made.set_permissions(Permissions::from_mode(PASSABLE.into()))?;
            }
        }
        place.open()?;
        let barrier = trust::barrier(&place.socket, Sharing::Everybody).filter(|_| for_others);
        match barrier {
            Some(barrier) => Err(io::Error::other(format!(
                "other users do not get through {}",
                barrier.display()
            ))),
            None => Ok(place),
        }
    }

    /// Lets other users reach the token socket if `for_others` is set, but not list the folder. A daemon that ended has
    /// removed the folders, so this makes them again.
    pub(super) fn open(&self) -> io::Result<()> {
        let Some(folder) = self.socket.parent().filter(|_| self.for_others) else {
            return Ok(());
        };
        trust::make_folders(folder, self.uid, PASSABLE).map_err(io::Error::other)
    }

    /// The path of the folder.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Makes the folder again at the same path if it is missing: the command knows its sockets by their paths.
    ///
    /// # Errors
    /// The system's, or that a folder above is no longer trusted.
    pub(super) fn restore(&self) -> io::Result<()> {
        let folder = self.folder.path();
        match folder.symlink_metadata() {
            // The daemon checks whether it is still ours.
            Ok(_) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        let base = folder.parent().unwrap_or(Path::new("/"));
        trust::resolve(base, self.uid).map_err(of_a_socket)?;
        let mode = if self.for_others { PASSABLE } else { 0o700 };
        DirBuilder::new().mode(mode.into()).create(folder)
    }

    /// Removes the folder now. The daemon may have removed it already.
    pub(super) fn remove(self) -> io::Result<()> {
        match self.folder.close() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            closed => closed,
        }
    }
}

/// The error for a folder above the sockets, with the remedy for a socket's place instead of a configuration's.
fn of_a_socket(untrusted: UntrustedPath) -> io::Error {
    io::Error::other(untrusted.meant_for(Purpose::Socket { named: false }))
}

/// Removes a killed daemon's files in its private folder, and that folder: no other program would. Only empty folders
/// are removed, so a mistaken path does no harm.
pub(super) fn clear(places: &SocketPlaces) {
    let mut admin_lock = places.admin.clone().into_os_string();
    admin_lock.push(".lock");
    let folders = [places.token.parent(), places.admin.parent()];
    let both = folders.map(|folder| folder.and_then(Path::parent));
    // Files that cannot be removed stay.
    command_files::remove_all(&places.token);
    for lock in [&places.lock, Path::new(&admin_lock)] {
        let _: io::Result<()> = std::fs::remove_file(lock);
    }
    for folder in folders.into_iter().chain(both).flatten() {
        let _: io::Result<()> = std::fs::remove_dir(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn the_run_folder_is_private_below_the_first_usable_base_and_removed() {
        let usual = tempfile::tempdir().unwrap();
        let long = usual.path().join("x".repeat(100));
        let open = usual.path().join("open");
        for folder in [&long, &open] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        let missing = usual.path().join("missing");
        let bases = [long, open, missing, usual.path().to_owned()];
        let place = RunFolder::below(bases.clone().into_iter(), uid(), false).unwrap();
        let folder = place.folder.path().to_owned();
        assert_eq!(folder.parent(), Some(usual.path()));
        let mode = folder.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        place.remove().unwrap();
        assert!(!folder.exists());

        let none = bases.into_iter().take(3);
        assert!(RunFolder::below(none, uid(), false).is_err());
    }

    #[test]
    fn other_users_reach_only_the_socket_in_a_shared_run_folder() {
        let usual = tempfile::tempdir().unwrap();
        let closed = usual.path().join("closed");
        std::fs::create_dir(&closed).unwrap();
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        };
        set(usual.path(), 0o711);
        set(&closed, 0o700);
        let bases = [closed, usual.path().to_owned()];
        let place = RunFolder::below(bases.into_iter(), uid(), true).unwrap();
        let folder = place.folder.path().to_owned();
        assert_eq!(folder.parent(), Some(usual.path()));
        let inner = folder.join("jeton");
        let modes = || [&folder, &inner].map(|path| path.metadata().unwrap().mode() & 0o777);
        assert_eq!(modes(), [0o711; 2]);
        // Removes the folders as a daemon does when it ends.
        for folder in [&inner, &folder] {
            std::fs::remove_dir(folder).unwrap();
        }
        place.open().unwrap();
        assert_eq!(modes(), [0o711; 2]);
        set(&folder, 0o700);
        place.open().unwrap();
        assert_eq!(modes(), [0o700, 0o711], "what is there is left as it is");
    }

    #[test]
    fn the_run_folder_is_restored_only_at_its_old_path() {
        let usual = tempfile::tempdir().unwrap();
        let base = usual.path().join("base");
        std::fs::create_dir(&base).unwrap();
        let place = RunFolder::try_below(&base, uid(), false).unwrap();
        place.restore().unwrap();
        std::fs::remove_dir(place.folder()).unwrap();
        place.restore().unwrap();
        let mode = place.folder().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        std::fs::remove_dir_all(&base).unwrap();
        assert!(place.restore().is_err());
        std::fs::create_dir(&base).unwrap();
        std::fs::set_permissions(&base, Permissions::from_mode(0o777)).unwrap();
        assert!(place.restore().is_err(), "others could exchange it");
    }

    #[test]
    fn cleanup_removes_only_the_daemons_own_files() {
        let base = tempfile::tempdir().unwrap();
        let place = RunFolder::try_below(base.path(), uid(), false).unwrap();
        let env = Env::from_vars([], uid());
        let places = env.sockets(Some(&place.socket), Some(&place.admin), |_| false);
        let places = places.unwrap();
        let fill = || {
            for path in [&places.token, &places.admin] {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            }
            std::fs::write(&places.lock, "").unwrap();
        };
        fill();
        clear(&places);
        assert!(!place.folder.path().exists());

        // A restarted daemon makes the folder again.
        fill();
        let precious = place.folder.path().join("jeton/precious");
        std::fs::write(&precious, "").unwrap();
        clear(&places);
        assert!(precious.exists() && !places.lock.exists());

        clear(&places);
        place.remove().unwrap();
    }
}
