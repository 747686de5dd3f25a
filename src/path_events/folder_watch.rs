//! Notices that files may have another content, however they are changed.
//!
//! The folders in which the names of a path are looked up are watched, not the file: a file that is replaced by a rename
//! is another inode, and in a Kubernetes volume a link beside the file changes what the path leads to. The folders above
//! are watched for their own removal and renaming alone, so that a busy `/home` or `/tmp` wakes no process.
//!
//! One descriptor serves all paths.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

/// The number of a watched folder.
pub(crate) type WatchId = i32;

/// A watch on files.
#[derive(Debug)]
pub(crate) struct FolderWatch {
    #[cfg(target_os = "linux")]
    linux: linux::Watch,
}

/// Adds paths to a [`FolderWatch`]. It is for a thread of its own: a file system may hang.
#[derive(Debug, Clone)]
pub(crate) struct Adder {
    #[cfg(target_os = "linux")]
    linux: linux::Adder,
}

/// What is watched for one path.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// The names on the path, each with the folder in which it is looked up.
    pub(crate) names: Vec<(WatchId, OsString)>,
    /// The folders on the path, which may be removed or moved.
    pub(crate) folders: Vec<WatchId>,
    /// Whether there is something at the end of the path.
    pub(crate) is_there: bool,
    /// When a link or the file at the end was changed last, since 1970.
    pub(crate) changed_at: Duration,
}

/// Why a path cannot be watched.
#[derive(Debug)]
pub(crate) enum NotWatched {
    /// Other hosts or programs may change it without a word to this machine's kernel.
    NotLocal,
    /// The file is mounted by itself, as one that is bound into a container.
    MountedByItself,
    /// The system refuses: too many watches are in use, or a part of the path cannot be looked at.
    Refused(io::Error),
}

/// What has happened in the watched folders.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// These names were changed.
    pub(crate) names: Vec<(WatchId, OsString)>,
    /// These folders were removed, moved or unmounted, or are no longer watched.
    pub(crate) folders: Vec<WatchId>,
    /// Something was mounted or unmounted, so that any path may lead elsewhere.
    pub(crate) is_mounted: bool,
    /// There were more events than the kernel keeps: anything may have happened.
    pub(crate) is_incomplete: bool,
}

// === impl FolderWatch ===

impl FolderWatch {
    /// A watch on no path yet. It must be made on the event loop.
    ///
    /// # Errors
    /// The system's: it has no inotify, or no descriptor or no further instance of it for this user.
    pub(crate) fn new() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        return linux::Watch::new().map(|linux| Self { linux });
        #[cfg(not(target_os = "linux"))]
        return Err(io::ErrorKind::Unsupported.into());
    }

    /// A way to add paths on another thread.
    pub(crate) fn adder(&self) -> Adder {
        Adder {
            #[cfg(target_os = "linux")]
            linux: self.linux.adder(),
        }
    }

    /// Watches this folder no longer.
    pub(crate) fn remove(&self, folder: WatchId) {
        #[cfg(target_os = "linux")]
        self.linux.remove(folder);
        #[cfg(not(target_os = "linux"))]
        let _ = folder;
    }

    /// Waits until something has happened. It is not lost when the wait is dropped.
    pub(crate) async fn stirred(&self) {
        #[cfg(target_os = "linux")]
        self.linux.stirred().await;
        #[cfg(not(target_os = "linux"))]
        std::future::pending::<()>().await;
    }

    /// Takes what has happened so far.
    pub(crate) fn take(&self) -> Events {
        #[cfg(target_os = "linux")]
        return self.linux.take();
        #[cfg(not(target_os = "linux"))]
        return Events::default();
    }
}

// === impl Adder ===

impl Adder {
    /// Watches an absolute path from now on. Blocks.
    ///
    /// # Errors
    /// [`NotWatched`]. Then some of its folders may be watched all the same, until the path is added again.
    pub(crate) fn add(&self, path: &Path) -> Result<Watched, NotWatched> {
        #[cfg(target_os = "linux")]
        return self.linux.add(path);
        #[cfg(not(target_os = "linux"))]
        {
            let _ = path;
            Err(NotWatched::Refused(io::ErrorKind::Unsupported.into()))
        }
    }
}

// === impl Watched ===

impl Watched {
    /// Every watched folder, as often as it serves this path.
    pub(crate) fn ids(&self) -> impl Iterator<Item = WatchId> {
        let names = self.names.iter().map(|(id, _)| *id);
        names.chain(self.folders.iter().copied())
    }

    /// Whether the path leads through the same folders and links.
    pub(crate) fn leads_as(&self, other: &Self) -> bool {
        self.names == other.names && self.folders == other.folders
    }
}

// === impl NotWatched ===

impl NotWatched {
    /// Why, for people.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::NotLocal => "other hosts or programs can change it unnoticed".to_owned(),
            Self::MountedByItself => "it is mounted by itself".to_owned(),
            Self::Refused(error) if error.kind() == io::ErrorKind::StorageFull => {
                "this user's limit of watches is used up (fs.inotify.max_user_watches)".to_owned()
            }
            Self::Refused(error) => format!("the system refuses to watch it: {error}"),
        }
    }

    /// Whether it may be possible later, without another file system.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsStr;
    use std::fs::{File, Metadata};
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::MetadataExt as _;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::super::local::{is_local, is_mounted_by_itself};
    use super::super::walk::{Last, PartKind, walk};
    use super::{Duration, Events, NotWatched, Path, WatchId, Watched, io};

    /// What happens to a folder itself.
    const ITSELF: WatchFlags = WatchFlags::ONLYDIR
        .union(WatchFlags::DELETE_SELF)
        .union(WatchFlags::MOVE_SELF);

    /// What gives a name another content. That a name is gone gives it none; a mode that changes may make it readable.
    const NAMES: WatchFlags = ITSELF
        .union(WatchFlags::CREATE)
        .union(WatchFlags::MOVED_TO)
        .union(WatchFlags::MODIFY)
        .union(WatchFlags::CLOSE_WRITE)
        .union(WatchFlags::ATTRIB);

    #[derive(Debug)]
    pub(super) struct Watch {
        events: AsyncFd<Arc<OwnedFd>>,
        /// `/proc/self/mountinfo`, which has priority data after each mount and unmount (proc(5)).
        mounts: AsyncFd<File>,
    }

    #[derive(Debug, Clone)]
    pub(super) struct Adder(Arc<OwnedFd>);

    impl Watch {
        #[expect(
            deprecated,
            reason = "its successor is unsafe for types whose descriptor may change under it; these keep their own"
        )]
        pub(super) fn new() -> io::Result<Self> {
            let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
            let mounts = File::open("/proc/self/mountinfo")?;
            Ok(Self {
                events: AsyncFd::with_interest(Arc::new(events), Interest::READABLE)?,
                mounts: AsyncFd::with_interest(mounts, Interest::PRIORITY)?,
            })
        }

        pub(super) fn adder(&self) -> Adder {
            Adder(Arc::clone(self.events.get_ref()))
        }

        pub(super) fn remove(&self, folder: WatchId) {
            // The kernel has removed the watch of a folder that no longer exists.
            let _: Result<(), rustix::io::Errno> =
                inotify::remove_watch(self.events.get_ref(), folder);
        }

        pub(super) async fn stirred(&self) {
            // An error is no event. The readiness stays until the events are taken.
            let _: io::Result<()> = tokio::select! { biased;
                ready = self.events.ready(Interest::READABLE) => ready.map(drop),
                ready = self.mounts.ready(Interest::PRIORITY) => ready.map(drop),
            };
        }

        pub(super) fn take(&self) -> Events {
            let mut found = Events::default();
            let events = now(self.events.ready(Interest::READABLE));
            let mut buffer = [MaybeUninit::<u8>::uninit(); 4_096];
            let mut reader = Reader::new(self.events.get_ref(), &mut buffer);
            while let Ok(event) = reader.next() {
                if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                    found.is_incomplete = true;
                } else if let Some(name) = event.file_name() {
                    let name = OsStr::from_bytes(name.to_bytes()).to_owned();
                    found.names.push((event.wd(), name));
                } else {
                    found.folders.push(event.wd());
                }
            }
            found.names.dedup();
            if let Some(Ok(mut ready)) = events {
                ready.clear_ready();
            }
            if let Some(Ok(mut ready)) = now(self.mounts.ready(Interest::PRIORITY)) {
                ready.clear_ready();
                found.is_mounted = true;
            }
            found
        }
    }

    /// The output of a future that has one already.
    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        let mut context = Context::from_waker(Waker::noop());
        match std::pin::pin!(future).poll(&mut context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    impl Adder {
        pub(super) fn add(&self, path: &Path) -> Result<Watched, NotWatched> {
            let refused = NotWatched::Refused;
            let mut watched = Watched::default();
            for part in walk(path, Last::Followed).map_err(refused)? {
                watched.is_there = part.kind != PartKind::Missing;
                if part.kind == PartKind::Folder {
                    let folder = self.watch(&part.path, ITSELF).map_err(refused)?;
                    watched.folders.push(folder);
                    continue;
                }
                let folder = part.path.parent().unwrap_or(Path::new("/"));
                if !is_local(folder).map_err(refused)? {
                    return Err(NotWatched::NotLocal);
                }
                if part.kind == PartKind::File
                    && is_mounted_by_itself(&part.path).map_err(refused)?
                {
                    return Err(NotWatched::MountedByItself);
                }
                let folder = self.watch(folder, NAMES).map_err(refused)?;
                let name = part.path.file_name().unwrap_or_default();
                watched.names.push((folder, name.to_owned()));
                let changed_at = part.meta.as_ref().map_or(Duration::ZERO, changed_at);
                watched.changed_at = watched.changed_at.max(changed_at);
            }
            Ok(watched)
        }

        /// Adds these events to those for which the folder is watched.
        fn watch(&self, folder: &Path, events: WatchFlags) -> io::Result<WatchId> {
            Ok(inotify::add_watch(
                &self.0,
                folder,
                events | WatchFlags::MASK_ADD,
            )?)
        }
    }

    fn changed_at(meta: &Metadata) -> Duration {
        let nanos = u32::try_from(meta.ctime_nsec()).unwrap_or(0);
        Duration::new(u64::try_from(meta.ctime()).unwrap_or(0), nanos)
    }

    #[cfg(test)]
    mod tests {
        use std::fs;
        use std::os::fd::AsRawFd as _;
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        use std::path::PathBuf;

        use super::*;

        /// Whether what `act` does to a folder changes the file `s` in its subfolder `d`, as far as the watch knows.
        async fn changes(prepare: impl Fn(&Path), act: impl Fn(&Path)) -> bool {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("d/s");
            fs::create_dir(dir.path().join("d")).unwrap();
            prepare(dir.path());
            let watch = Watch::new().unwrap();
            let watched = watch.adder().add(&path).unwrap();
            act(dir.path());
            let limit = Duration::from_millis(300);
            if tokio::time::timeout(limit, watch.stirred()).await.is_err() {
                return false;
            }
            let events = watch.take();
            let after = watch.adder().add(&path).unwrap();
            let is_named = events.names.iter().any(|name| watched.names.contains(name));
            is_named || !watched.leads_as(&after)
        }

        fn write(path: PathBuf) {
            fs::write(path, "secret").unwrap();
        }

        fn rename(from: PathBuf, to: PathBuf) {
            fs::rename(from, to).unwrap();
        }

        #[tokio::test]
        async fn a_file_that_is_written_or_replaced_is_changed() {
            let there = |d: &Path| write(d.join("d/s"));
            assert!(changes(there, |d| write(d.join("d/s"))).await, "in place");
            let replace = |d: &Path| {
                write(d.join("d/.new"));
                rename(d.join("d/.new"), d.join("d/s"));
            };
            assert!(changes(there, replace).await, "by a rename");
            let back_up = |d: &Path| {
                rename(d.join("d/s"), d.join("d/s~"));
                write(d.join("d/s"));
            };
            assert!(changes(there, back_up).await, "as editors do");
            let mode = |d: &Path| {
                let mode = fs::Permissions::from_mode(0o400);
                fs::set_permissions(d.join("d/s"), mode).unwrap();
            };
            assert!(changes(there, mode).await, "its mode");
            assert!(changes(|_| {}, there).await, "it appears");
            let elsewhere = |d: &Path| write(d.join("other"));
            assert!(!changes(there, elsewhere).await);
            let gone = |d: &Path| fs::remove_file(d.join("d/s")).unwrap();
            assert!(!changes(there, gone).await, "it has no new content");
        }

        #[tokio::test]
        async fn a_volume_of_kubernetes_changes_by_its_link() {
            let volume = |d: &Path| {
                fs::create_dir(d.join("d/..1")).unwrap();
                write(d.join("d/..1/s"));
                symlink("..1", d.join("d/..data")).unwrap();
                symlink("..data/s", d.join("d/s")).unwrap();
            };
            let swap = |d: &Path| {
                fs::create_dir(d.join("d/..2")).unwrap();
                write(d.join("d/..2/s"));
                symlink("..2", d.join("d/..data_tmp")).unwrap();
                rename(d.join("d/..data_tmp"), d.join("d/..data"));
                fs::remove_dir_all(d.join("d/..1")).unwrap();
            };
            assert!(changes(volume, swap).await);
            // The file behind the links is written in place.
            assert!(changes(volume, |d| write(d.join("d/..1/s"))).await);
            let beside = |d: &Path| write(d.join("d/..1/t"));
            assert!(!changes(volume, beside).await);
        }

        #[tokio::test]
        async fn a_folder_or_a_link_above_the_file_changes_it() {
            let there = |d: &Path| write(d.join("d/s"));
            let exchange = |d: &Path| {
                fs::create_dir(d.join("e")).unwrap();
                write(d.join("e/s"));
                rename(d.join("d"), d.join("f"));
                rename(d.join("e"), d.join("d"));
            };
            assert!(changes(there, exchange).await);
            let linked = |d: &Path| {
                fs::remove_dir(d.join("d")).unwrap();
                for folder in ["1", "2"] {
                    fs::create_dir(d.join(folder)).unwrap();
                    write(d.join(folder).join("s"));
                }
                symlink("1", d.join("d")).unwrap();
            };
            let relink = |d: &Path| {
                symlink("2", d.join("new")).unwrap();
                rename(d.join("new"), d.join("d"));
            };
            assert!(changes(linked, relink).await);
            let missing = |d: &Path| fs::remove_dir(d.join("d")).unwrap();
            let made = |d: &Path| {
                fs::create_dir(d.join("d")).unwrap();
                write(d.join("d/s"));
            };
            assert!(changes(missing, made).await);
        }

        #[tokio::test]
        async fn many_paths_share_one_descriptor_and_the_watch_of_their_folder() {
            let dir = tempfile::tempdir().unwrap();
            let watch = Watch::new().unwrap();
            let descriptor = watch.events.get_ref().as_raw_fd();
            let add = |name: &str| watch.adder().add(&dir.path().join(name)).unwrap();
            let (one, two) = (add("one"), add("two"));
            assert_eq!(one.names[0].0, two.names[0].0);
            assert!(!one.is_there);
            write(dir.path().join("one"));
            watch.stirred().await;
            let names = watch.take().names;
            assert!(names.contains(&one.names[0]) && !names.contains(&two.names[0]));
            assert!(add("one").is_there);
            assert_eq!(watch.events.get_ref().as_raw_fd(), descriptor);
            // What was taken does not stir again.
            let limit = Duration::from_millis(50);
            assert!(tokio::time::timeout(limit, watch.stirred()).await.is_err());
            watch.remove(one.names[0].0);
            watch.stirred().await;
            assert_eq!(watch.take().folders, [one.names[0].0]);
        }

        #[tokio::test]
        async fn what_other_hosts_may_change_is_not_watched() {
            let watch = Watch::new().unwrap();
            let refused = watch.adder().add(Path::new("/proc/self/status"));
            assert!(matches!(refused, Err(NotWatched::NotLocal)), "{refused:?}");
            let refused = watch.adder().add(Path::new("/proc/version/none"));
            assert!(refused.is_err(), "{refused:?}");
        }
    }
}
