//! Notices that a path may lead to something else than before.
//!
//! What the path leads to, every folder on the way and every link among them is watched itself (inotify(7)), and not
//! through the folder it is in: so the daemon wakes for its own paths alone, however busy `/run` or `/tmp` is. A removal
//! changes the number of a socket's links, a rename moves it or a folder above it. A mount over the path shows in the
//! table of mounts.

use std::io;
use std::path::Path;

/// Watches some paths.
#[derive(Debug)]
pub(super) struct PathWatch {
    #[cfg(target_os = "linux")]
    linux: linux::Watch,
}

// === impl PathWatch ===

impl PathWatch {
    /// Watches these absolute paths from now on.
    ///
    /// # Errors
    /// When not everything on the way can be watched: the user's share of watches is used up, a folder may not be read,
    /// a file system has other hosts that change it, or the system has no such means. Then somebody has to look.
    #[cfg(target_os = "linux")]
    pub(super) fn new<'a>(paths: impl Iterator<Item = &'a Path>) -> io::Result<Self> {
        linux::Watch::new(paths).map(|linux| Self { linux })
    }

    /// Not on this system.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn new<'a>(_: impl Iterator<Item = &'a Path>) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Waits until one of the paths may have changed.
    pub(super) async fn stirred(&self) {
        #[cfg(target_os = "linux")]
        self.linux.stirred().await;
        #[cfg(not(target_os = "linux"))]
        std::future::pending::<()>().await;
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::VecDeque;
    use std::ffi::OsString;
    use std::fs::File;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::path::{Component, Path, PathBuf};

    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// As many links on one path as Linux follows.
    const MAX_LINKS: usize = 40;

    /// The file systems that no other host and no other kernel changes (`statfs(2)`): tmpfs, ramfs, ext4, xfs, btrfs,
    /// overlayfs, f2fs, zfs.
    const LOCAL: [u32; 8] = [
        0x0102_1994,
        0x8584_58f6,
        0x0000_ef53,
        0x5846_5342,
        0x9123_683e,
        0x794c_7630,
        0xf2f5_2010,
        0x2fc1_2fc1,
    ];

    #[derive(Debug)]
    pub(super) struct Watch {
        events: AsyncFd<OwnedFd>,
        /// Priority data is there whenever something was mounted or unmounted (proc(5)).
        mounts: AsyncFd<File>,
    }

    impl Watch {
        pub(super) fn new<'a>(paths: impl Iterator<Item = &'a Path>) -> io::Result<Self> {
            let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
            for path in paths {
                if !is_local(path)? {
                    return Err(io::ErrorKind::Unsupported.into());
                }
                for (at, step) in steps(path)? {
                    inotify::add_watch(&events, &at, step.flags())?;
                }
            }
            #[expect(
                deprecated,
                reason = "its successor is unsafe for types whose descriptor may change under it; these keep their own"
            )]
            Ok(Self {
                events: AsyncFd::with_interest(events, Interest::READABLE)?,
                mounts: AsyncFd::with_interest(
                    File::open("/proc/self/mountinfo")?,
                    Interest::PRIORITY,
                )?,
            })
        }

        pub(super) async fn stirred(&self) {
            // What exactly has happened is seen by looking; the watch is made anew afterwards.
            let _: io::Result<()> = tokio::select! { biased;
                ready = self.events.ready(Interest::READABLE) => ready.map(|mut ready| ready.clear_ready()),
                ready = self.mounts.ready(Interest::PRIORITY) => ready.map(|mut ready| ready.clear_ready()),
            };
        }
    }

    /// What is on the way of a path.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Step {
        Folder,
        /// A folder in which the next name is missing: what comes into it may be that.
        LastFolder,
        /// A link, or the end of the path.
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

    fn is_local(path: &Path) -> io::Result<bool> {
        // The folder that it is in, or the nearest that is there.
        let mut folders = path.ancestors().skip(1);
        let there = folders.find(|folder| folder.is_dir());
        let kind = rustix::fs::statfs(there.unwrap_or(Path::new("/")))?.f_type;
        // The field is wider than the numbers, which have 32 bits.
        Ok(LOCAL
            .iter()
            .any(|local| i64::from(*local) == i64::from(kind)))
    }

    /// What is on the way to `path`, itself included, as the kernel goes it: folders, and links with what is on the way
    /// to where they lead, as far as they are there. The root folder can neither be moved nor removed.
    fn steps(path: &Path) -> io::Result<Vec<(PathBuf, Step)>> {
        let mut todo: VecDeque<OsString> = names(path);
        let (mut at, mut steps, mut links) = (PathBuf::from("/"), vec![], 0);
        while let Some(name) = todo.pop_front() {
            if name == ".." {
                at.pop();
                continue;
            }
            at.push(name);
            let meta = match at.symlink_metadata() {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    at.pop();
                    steps.retain(|(step, _)| *step != at);
                    steps.push((at, Step::LastFolder));
                    break;
                }
                meta => meta?,
            };
            let step = if meta.is_dir() {
                Step::Folder
            } else {
                Step::Other
            };
            steps.push((at.clone(), step));
            if meta.is_symlink() && !todo.is_empty() {
                links += 1;
                if links > MAX_LINKS {
                    return Err(rustix::io::Errno::LOOP.into());
                }
                let target = at.read_link()?;
                at.pop();
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                for name in names(&target).into_iter().rev() {
                    todo.push_front(name);
                }
            }
        }
        Ok(steps)
    }

    fn names(path: &Path) -> VecDeque<OsString> {
        path.components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name.to_owned()),
                Component::ParentDir => Some("..".into()),
                _ => None,
            })
            .collect()
    }

    #[cfg(test)]
    mod tests {
        use std::os::unix::fs::symlink;
        use std::os::unix::net::UnixListener;
        use std::time::Duration;

        use super::*;

        /// A socket in a folder in a folder, to which a link leads.
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
        fn every_folder_and_link_on_the_way_is_a_step() {
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

        /// Whether the watch notices what `act` does to a spot.
        async fn notices(act: impl Fn(&Path)) -> bool {
            let spot = spot();
            let watch = Watch::new([spot.socket.as_path()].into_iter()).unwrap();
            act(spot.dir.path());
            let limit = Duration::from_millis(500);
            tokio::time::timeout(limit, watch.stirred()).await.is_ok()
        }

        #[tokio::test]
        async fn a_removal_a_rename_and_a_replacement_are_noticed_wherever_on_the_way() {
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
        async fn what_comes_where_something_is_missing_is_noticed() {
            let spot = spot();
            let missing = spot.dir.path().join("link/other/s");
            let watch = Watch::new([missing.as_path()].into_iter()).unwrap();
            std::fs::create_dir(spot.dir.path().join("real/other")).unwrap();
            watch.stirred().await;
        }

        #[tokio::test]
        async fn what_happens_to_other_files_wakes_nobody() {
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
