//! Files that hold a token for as long as a command runs (`jeton exec --file`). Each is in a folder of its own beside
//! the token socket, which only the command's user can enter.
//!
//! The companion replaces itself by the command (`exec`), so the peer that sent the request becomes the command. The
//! daemon watches it through a process descriptor. When a daemon stops, it leaves the files to the next daemon, which
//! keeps those of running commands up to date and removes the others.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tracing::{debug, warn};

use crate::lifecycle::HeldToken;
use crate::policy::{Caller, Peer};
use crate::problem::{Code, Problem};
use crate::process::watched::WatchedProcess;
use crate::profile::ProfileName;
use crate::trust::is_full;
use command_folder::CommandFolder;
use shown::ShownState;
use task::{Task, blocking};

mod command_folder;
mod feeds;
mod shown;
mod task;

pub use feeds::Feeds;

/// Maximum number of commands that have a file at the same time. Each needs a descriptor.
const MOST: usize = 256;

/// Name of the daemon's own folder inside the socket's folder, for a socket folder that root owns, as under the system
/// unit.
const FILES: &str = "files";

/// Follows the socket's name in the name of a command's folder.
const SUFFIX: &str = ".exec-";

const NOT_YOURS: &str = "this daemon is neither root's nor this user's, so it cannot give the user a file; use 'jeton exec' without --file, and 'jeton token'";
const NOT_SEEN: &str = "the daemon cannot see this process, so it cannot tell when the command ends: it runs outside of the daemon's PID namespace; use 'jeton exec' without --file, and 'jeton token'";
const NOT_WATCHED: &str = "this system does not tell the daemon when a command ends; use 'jeton exec' without --file, and 'jeton token'";
const NO_FOLDER: &str = "the daemon cannot make a folder beside its socket, and its log says why; use 'jeton exec' without --file, and 'jeton token'";
const FULL: &str =
    "the disk with the folder of the socket is full, so there is no room for the file; make room";
const TOO_MANY: &str = "too many commands have a file; wait until one of them has ended";

/// The token files of all commands.
#[derive(Debug, Default)]
pub struct CommandFiles {
    /// `None` if no files can be made.
    beside: Option<FileLocation>,
    open: Arc<AtomicUsize>,
}

/// Location of the commands' folders.
#[derive(Debug, Clone)]
struct FileLocation {
    /// The folder of the token socket.
    folder: PathBuf,
    prefix: String,
}

/// One of the [`MOST`] places, until dropped.
struct FileSlot(Arc<AtomicUsize>);

// === impl CommandFiles ===

impl CommandFiles {
    /// Makes files in folders beside the token socket: `passed` if a service manager passed the socket, else `socket`.
    pub fn beside(passed: Option<&Path>, socket: &Path) -> Self {
        Self {
            beside: FileLocation::of(passed.unwrap_or(socket)),
            open: Arc::default(),
        }
    }

    /// Opens the process of a peer that may have a file.
    ///
    /// # Errors
    /// `not_supported` with the reason.
    pub fn process_of(&self, peer: &Peer, own_uid: u32) -> Result<WatchedProcess, Problem> {
        let refuse = |detail| Err(Problem::new(Code::NotSupported).with_detail(detail));
        // Only root can give a file to another user.
        if own_uid != peer.caller.uid && own_uid != 0 {
            return refuse(NOT_YOURS);
        }
        let Some(pid) = peer.pid else {
            return refuse(NOT_SEEN);
        };
        WatchedProcess::open(pid).or_else(|error| {
            debug!(pid, %error, "a process cannot be watched");
            match error.kind() {
                io::ErrorKind::NotFound => refuse(NOT_SEEN),
                _ => refuse(NOT_WATCHED),
            }
        })
    }

    /// Makes a file with this token and keeps it up to date until the process ends. Returns the path of the file,
    /// relative to the folder of the socket.
    ///
    /// # Errors
    /// The [`Problem`] says why there is no file.
    pub async fn open(
        &self,
        feeds: Feeds,
        process: WatchedProcess,
        caller: &Caller,
        profile: &ProfileName,
        held: &Arc<HeldToken>,
    ) -> Result<String, Problem> {
        let no_folder = |error: Option<&io::Error>| match error.is_some_and(is_full) {
            true => Problem::new(Code::Unavailable).with_detail(FULL),
            false => Problem::new(Code::NotSupported).with_detail(NO_FOLDER),
        };
        let Some(beside) = self.beside.clone() else {
            return Err(no_folder(None));
        };
        let folder = beside.folder.clone();
        let Some(counted) = FileSlot::new(&self.open) else {
            return Err(Problem::new(Code::Unavailable).with_detail(TOO_MANY));
        };
        let (owner, uid) = ((caller.uid, caller.gid), feeds.roster.gate().own_uid);
        let made = blocking(move || beside.make(owner, uid)).await;
        let place = made.map_err(|error| {
            warn!(folder = %folder.display(), %error, "cannot make the folder for a command's file");
            no_folder(Some(&error))
        })?;
        let path = place.below(&folder).to_string_lossy().into_owned();
        let mut task = Task {
            feeds,
            shown: ShownState::new(&place, profile, process.identity().0, None),
            process,
            caller: caller.clone(),
            profile: profile.clone(),
            place,
            generation: Some(held.generation),
            expires: None,
            locks: 0,
        };
        if let Err(error) = task.write(held).await {
            warn!(folder = %folder.display(), %error, "cannot write a command's file");
            let place = task.place;
            // The next daemon removes what cannot be removed now.
            let _: io::Result<()> = blocking(move || place.remove()).await;
            return Err(no_folder(Some(&error)));
        }
        tokio::spawn(async move {
            task.run().await;
            drop(counted);
        });
        Ok(path)
    }

    /// Takes over the files of an earlier daemon whose commands still run, and removes the others.
    pub async fn take_up(&self, feeds: Feeds) {
        let Some(beside) = self.beside.clone() else {
            return;
        };
        let uid = feeds.roster.gate().own_uid;
        let found = blocking(move || {
            let places = beside.all(uid)?.into_iter();
            Ok(places
                .map(|place| (place.record(), place))
                .collect::<Vec<_>>())
        });
        let found = found.await.unwrap_or_else(|error| {
            debug!(%error, "cannot look for the files of an earlier daemon");
            vec![]
        });
        for (record, place) in found {
            let process = record.as_ref().and_then(|record| {
                let process = WatchedProcess::open(record.process.0).ok()?;
                (process.identity() == record.process).then_some(process)
            });
            let (Some(record), Some(process), Some(counted)) =
                (record, process, FileSlot::new(&self.open))
            else {
                let path = place.path.clone();
                if let Err(error) = blocking(move || place.remove()).await {
                    warn!(path = %path.display(), %error, "the file of a command that has ended was not removed");
                }
                continue;
            };
            let groups = process.groups().unwrap_or_default();
            let now = feeds.clock.now();
            let expires = Duration::from_secs(record.expires_at);
            let left = expires.saturating_sub(now.unix.since_epoch());
            let task = Task {
                feeds: feeds.clone(),
                caller: Caller {
                    uid: place.owner.0,
                    gid: groups.gid,
                    groups: groups.groups.into(),
                },
                shown: ShownState::new(
                    &place,
                    &record.profile,
                    record.process.0,
                    Some(record.expires_at),
                ),
                process,
                profile: record.profile,
                place,
                generation: None,
                expires: Some(now.boot.after(left)),
                locks: 0,
            };
            tokio::spawn(async move {
                task.run().await;
                drop(counted);
            });
        }
    }
}

// === impl Beside ===

impl FileLocation {
    fn of(socket: &Path) -> Option<Self> {
        let socket = std::path::absolute(socket).ok()?;
        Some(Self {
            folder: socket.parent()?.to_owned(),
            prefix: format!("{}{SUFFIX}", socket.file_name()?.to_str()?),
        })
    }

    /// Makes a folder for a command of the user `owner`.
    fn make(&self, owner: (u32, u32), uid: u32) -> io::Result<CommandFolder> {
        let made = CommandFolder::make(&self.folder, &self.prefix, owner, uid);
        let files = self.folder.join(FILES);
        match made {
            Err(error) if is_refused(&error) && command_folder::is_own_folder(&files, uid) => {
                CommandFolder::make(&files, &self.prefix, owner, uid)
            }
            made => made,
        }
    }

    /// Returns the folders that an earlier daemon of this user has made.
    fn all(&self, uid: u32) -> io::Result<Vec<CommandFolder>> {
        let mut all = CommandFolder::all(&self.folder, &self.prefix, uid)?;
        let files = self.folder.join(FILES);
        if command_folder::is_own_folder(&files, uid) {
            all.extend(CommandFolder::all(&files, &self.prefix, uid)?);
        }
        Ok(all)
    }
}

/// Whether the error means that we may not create anything in a folder.
fn is_refused(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
}

/// Removes the files of all commands as far as possible. Call it after a daemon that has no successor.
pub fn remove_all(socket: &Path) {
    let uid = rustix::process::geteuid().as_raw();
    let places = FileLocation::of(socket).map(|beside| beside.all(uid));
    for place in places.and_then(Result::ok).unwrap_or_default() {
        let _: io::Result<()> = place.remove();
    }
}

// === impl Counted ===

impl FileSlot {
    fn new(open: &Arc<AtomicUsize>) -> Option<Self> {
        let counted = Self(Arc::clone(open));
        (open.fetch_add(1, Ordering::Relaxed) < MOST).then_some(counted)
    }
}

impl Drop for FileSlot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(uid: u32, pid: Option<i32>) -> Peer {
        let caller = Caller {
            uid,
            gid: uid,
            groups: Box::default(),
        };
        Peer { caller, pid }
    }

    #[tokio::test]
    async fn a_command_file_is_given_only_to_a_visible_process_of_an_allowed_user() {
        let files = CommandFiles::default();
        let us = i32::try_from(std::process::id()).ok();
        for (own, caller, pid, detail) in [
            (1_000, 1_000, us, None),
            (0, 0, us, None),
            (0, 1_000, us, None),
            (1_000, 0, us, Some(NOT_YOURS)),
            (1_000, 1_001, us, Some(NOT_YOURS)),
            (1_000, 1_000, None, Some(NOT_SEEN)),
            (0, 1_000, None, Some(NOT_SEEN)),
        ] {
            let found = files.process_of(&peer(caller, pid), own);
            let refused = found.err().map(|problem| (problem.code, problem.detail));
            let wanted = detail.map(|detail| (Code::NotSupported, Some(detail)));
            assert_eq!(refused, wanted, "{own} {caller} {pid:?}");
        }
    }

    #[test]
    fn the_number_of_command_files_is_limited() {
        let open = Arc::default();
        let mut all: Vec<_> = (0..MOST).map(|_| FileSlot::new(&open).unwrap()).collect();
        assert!(FileSlot::new(&open).is_none());
        all.pop();
        assert!(FileSlot::new(&open).is_some());
    }
}
