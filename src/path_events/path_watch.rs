//! Detects that a path may resolve to another file than before.
//!
//! The watches are on the file itself, every folder above it and every symbolic link on the way (inotify(7)), not on
//! the folder that contains the file. So only events of these paths wake the daemon, however busy `/run` or `/tmp` is.
//! A removal changes the link count of the socket, and a rename moves the socket or a folder above it. A mount over the
//! path changes the mount table.

use std::io;
use std::path::Path;

/// A watch on paths.
#[derive(Debug)]
pub(crate) struct PathWatch {
    #[cfg(target_os = "linux")]
    linux: linux::Watch,
}

// === impl PathWatch ===

impl PathWatch {
    /// Starts to watch these absolute paths.
    ///
    /// # Errors
    /// Fails if a part of the paths cannot be watched: the user's limit of watches is reached, a folder is not
    /// readable, a file system is shared with other hosts, or the system has no inotify. The caller must poll in that
    /// case.
    #[cfg(target_os = "linux")]
    pub(crate) fn new<'a>(paths: impl Iterator<Item = &'a Path>) -> io::Result<Self> {
        linux::Watch::new(paths).map(|linux| Self { linux })
    }

    /// Fails, because this system has no watch on paths.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new<'a>(_: impl Iterator<Item = &'a Path>) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Replaces the watched paths by these absolute ones. It keeps the kernel's watch instance, because the kernel may
    /// take 30 ms to close one.
    ///
    /// # Errors
    /// The errors of [`new`](Self::new).
    #[cfg(target_os = "linux")]
    pub(crate) fn renewed<'a>(mut self, paths: impl Iterator<Item = &'a Path>) -> io::Result<Self> {
        self.linux.renew(paths)?;
        Ok(self)
    }

    /// Returns the watch unchanged, because this system cannot watch paths.
    ///
    /// # Errors
    /// Never.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn renewed<'a>(self, _: impl Iterator<Item = &'a Path>) -> io::Result<Self> {
        Ok(self)
    }

    /// Waits until one of the paths may have changed.
    pub(crate) async fn wait_for_event(&self) {
        #[cfg(target_os = "linux")]
        self.linux.wait_for_event().await;
        #[cfg(not(target_os = "linux"))]
        std::future::pending::<()>().await;
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::path::{Path, PathBuf};

    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
    use rustix::io::Errno;
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use crate::path_events::local::is_local;
    use crate::path_events::walk::{LastLink, PartKind, walk};

    #[derive(Debug)]
    pub(super) struct Watch {
        events: AsyncFd<OwnedFd>,
        /// The watched events, by the kernel's number of the watch.
        watched: BTreeMap<i32, WatchFlags>,
        /// `/proc/self/mountinfo`, which has priority data after each mount and unmount (proc(5)).
        mounts: AsyncFd<File>,
    }

    impl Watch {
        pub(super) fn new<'a>(paths: impl Iterator<Item = &'a Path>) -> io::Result<Self> {
            let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
            #[expect(
                deprecated,
                reason = "the replacement is unsafe because some types change their descriptor; these types do not"
            )]
            let mut watch = Self {
                events: AsyncFd::with_interest(events, Interest::READABLE)?,
                watched: BTreeMap::new(),
                mounts: AsyncFd::with_interest(
                    File::open("/proc/self/mountinfo")?,
                    Interest::PRIORITY,
                )?,
            };
            watch.renew(paths)?;
            Ok(watch)
        }

        pub(super) fn renew<'a>(
            &mut self,
            paths: impl Iterator<Item = &'a Path>,
        ) -> io::Result<()> {
            let events = self.events.get_ref();
            let mut watched: BTreeMap<i32, WatchFlags> = BTreeMap::new();
            for path in paths {
                // The folder of the file, or the nearest existing one above it.
                let mut folders = path.ancestors().skip(1);
                let there = folders.find(|folder| folder.is_dir());
                if !is_local(there.unwrap_or(Path::new("/")))? {
                    return Err(io::ErrorKind::Unsupported.into());
                }
                for (at, step) in steps(path)? {
                    let number = inotify::add_watch(events, &at, step.flags())?;
                    let flags = watched.entry(number).or_insert(WatchFlags::empty());
                    // The call has replaced the flags, but two paths may need different events of the same folder.
                    if !(*flags - step.flags()).is_empty() {
                        inotify::add_watch(events, &at, *flags | step.flags())?;
                    }
                    *flags |= step.flags();
                }
            }
            for number in self.watched.keys() {
                if !watched.contains_key(number) {
                    // The kernel has already removed the watch of a file that no longer exists.
                    let _: Result<(), Errno> = inotify::remove_watch(events, *number);
                }
            }
            self.watched = watched;
            // Drop earlier events, because the caller checks the paths now.
            let mut old = [0; 1_024];
            while rustix::io::read(events, &mut old).is_ok_and(|length| length > 0) {}
            Ok(())
        }

        pub(super) async fn wait_for_event(&self) {
            // Ignore the events themselves: the caller renews the watch and checks the paths.
            let _: io::Result<()> = tokio::select! { biased;
                ready = self.events.ready(Interest::READABLE) => ready.map(|mut ready| ready.clear_ready()),
                ready = self.mounts.ready(Interest::PRIORITY) => ready.map(|mut ready| ready.clear_ready()),
            };
        }
    }

    /// A part of a path.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Step {
        Folder,
        /// A folder in which the next name is missing and may appear.
        LastFolder,
        /// A symbolic link, or the file at the end.
        Other,
    }

    impl Step {
        fn flags(self) -> WatchFlags {
            let itself = WatchFlags::DONT_FOLLOW | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
            itself
                | match self {
                    Self::Folder => WatchFlags::ONLYDIR,
                    Self::LastFolder => {
                        WatchFlags::ONLYDIR | WatchFlags::CREATE | WatchFlags::MOVED_TO
                    }
                    Self::Other => WatchFlags::ATTRIB,
                }
        }
    }

    /// Returns every part of `path` in the order in which the kernel resolves it, including the targets of symbolic
    /// links on the way, up to the first missing name.
    fn steps(path: &Path) -> io::Result<Vec<(PathBuf, Step)>> {
        let mut steps = vec![];
        for part in walk(path, LastLink::Itself)? {
            match part.kind {
                PartKind::Folder => steps.push((part.path, Step::Folder)),
                PartKind::Link | PartKind::File => steps.push((part.path, Step::Other)),
                PartKind::Missing => {
                    let folder = part.path.parent().unwrap_or(Path::new("/")).to_owned();
                    steps.retain(|(step, _)| *step != folder);
                    steps.push((folder, Step::LastFolder));
                }
            }
        }
        Ok(steps)
    }

    #[cfg(test)]
    mod tests {
        use std::os::fd::AsRawFd as _;
        use std::os::unix::fs::symlink;
        use std::os::unix::net::UnixListener;
        use std::time::Duration;

        use super::*;

        /// A socket below two folders. The upper one can also be reached through a symbolic link.
        struct Spot {
            dir: tempfile::TempDir,
            socket: PathBuf,
            _listener: UnixListener,
        }

        fn spot() -> Spot {
            let dir = tempfile::tempdir().unwrap();
            let real = dir.path().join("real/jeton");
            std::fs::create_dir_all(&real).unwrap();
            symlink("real", dir.path().join("link")).unwrap();
            let listener = UnixListener::bind(real.join("s")).unwrap();
            Spot {
                socket: dir.path().join("link/jeton/s"),
                _listener: listener,
                dir,
            }
        }

        #[test]
        fn every_folder_and_link_of_a_path_is_watched() {
            let spot = spot();
            let found = steps(&spot.socket).unwrap();
            let real = |name: &str| spot.dir.path().join(name);
            let last: Vec<_> = found.iter().rev().take(4).rev().cloned().collect();
            let expected = [
                (real("link"), Step::Other),
                (real("real"), Step::Folder),
                (real("real/jeton"), Step::Folder),
                (real("real/jeton/s"), Step::Other),
            ];
            assert_eq!(last, expected);
            assert!(found.iter().all(|(step, _)| step != Path::new("/")));
            let found = steps(&real("link/none/s")).unwrap();
            let last: Vec<_> = found.iter().rev().take(2).cloned().collect();
            let expected = [
                (real("real"), Step::LastFolder),
                (real("link"), Step::Other),
            ];
            assert_eq!(last, expected);
            symlink("round", real("round")).unwrap();
            assert!(steps(&real("round/s")).is_err());
        }

        /// Whether the watch notices the effect of `act` on a spot.
        async fn notices(act: impl Fn(&Path)) -> bool {
            let spot = spot();
            let watch = Watch::new([spot.socket.as_path()].into_iter()).unwrap();
            act(spot.dir.path());
            let limit = Duration::from_millis(500);
            tokio::time::timeout(limit, watch.wait_for_event())
                .await
                .is_ok()
        }

        #[tokio::test]
        async fn a_removal_or_rename_anywhere_on_the_path_is_reported() {
            let remove = |d: &Path| std::fs::remove_file(d.join("real/jeton/s")).unwrap();
            assert!(notices(remove).await);
            let rename = |from: &'static str, to: &'static str| {
                move |d: &Path| std::fs::rename(d.join(from), d.join(to)).unwrap()
            };
            assert!(notices(rename("real/jeton/s", "real/jeton/t")).await);
            assert!(notices(rename("real/jeton", "real/other")).await);
            assert!(notices(rename("real", "other")).await);
            assert!(notices(rename("link", "other")).await);
            let remove_all = |d: &Path| std::fs::remove_dir_all(d.join("real")).unwrap();
            assert!(notices(remove_all).await);
            let replace = |d: &Path| {
                std::fs::write(d.join("new"), "").unwrap();
                std::fs::rename(d.join("new"), d.join("real/jeton/s")).unwrap();
            };
            assert!(notices(replace).await);
            let relink = |d: &Path| {
                symlink("elsewhere", d.join("new")).unwrap();
                std::fs::rename(d.join("new"), d.join("link")).unwrap();
            };
            assert!(notices(relink).await);
        }

        #[tokio::test]
        async fn the_appearance_of_a_missing_path_is_reported() {
            let spot = spot();
            let missing = spot.dir.path().join("link/other/s");
            let watch = Watch::new([missing.as_path()].into_iter()).unwrap();
            std::fs::create_dir(spot.dir.path().join("real/other")).unwrap();
            watch.wait_for_event().await;
        }

        #[tokio::test]
        async fn two_paths_may_need_different_events_of_one_folder() {
            for missing_first in [true, false] {
                let spot = spot();
                let missing = spot.dir.path().join("real/none/s");
                let mut paths = [missing.as_path(), spot.socket.as_path()];
                if !missing_first {
                    paths.reverse();
                }
                let watch = Watch::new(paths.into_iter()).unwrap();
                std::fs::create_dir(spot.dir.path().join("real/none")).unwrap();
                watch.wait_for_event().await;
                let watch = Watch::new(paths.into_iter()).unwrap();
                std::fs::remove_file(spot.dir.path().join("real/jeton/s")).unwrap();
                watch.wait_for_event().await;
            }
        }

        #[tokio::test]
        async fn a_renewed_watch_keeps_its_descriptor_and_watches_only_the_new_paths() {
            let (former, spot) = (spot(), spot());
            let mut watch = Watch::new([former.socket.as_path()].into_iter()).unwrap();
            let descriptor = watch.events.get_ref().as_raw_fd();
            let mut notices = async |act: &dyn Fn()| {
                watch.renew([spot.socket.as_path()].into_iter()).unwrap();
                act();
                let limit = Duration::from_millis(500);
                let noticed = tokio::time::timeout(limit, watch.wait_for_event()).await;
                noticed.is_ok()
            };
            assert!(!notices(&|| {}).await, "nothing has changed");
            let former = former.dir.path().join("real/jeton/s");
            assert!(!notices(&|| std::fs::remove_file(&former).unwrap()).await);
            let file = spot.dir.path().join("real/jeton/s");
            assert!(notices(&|| std::fs::remove_file(&file).unwrap()).await);
            // The folder of the missing socket reports new files.
            assert!(notices(&|| std::fs::write(&file, "").unwrap()).await);
            // Once the socket exists again, its folder reports none.
            let other = spot.dir.path().join("real/jeton/other");
            assert!(!notices(&|| std::fs::write(&other, "").unwrap()).await);
            assert_eq!(watch.events.get_ref().as_raw_fd(), descriptor);
        }

        #[tokio::test]
        async fn events_of_other_files_are_not_delivered() {
            let others = |d: &Path| {
                for folder in ["", "real", "real/jeton"] {
                    let file = d.join(folder).join("other");
                    std::fs::write(&file, "").unwrap();
                    std::fs::remove_file(file).unwrap();
                    std::fs::create_dir(d.join(folder).join("others")).unwrap();
                }
            };
            assert!(!notices(others).await);
        }
    }
}
