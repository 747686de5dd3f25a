//! Implementation of the watch with inotify(7).

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::super::local::{is_local, is_mounted_by_itself};
use super::super::walk::{LastLink, PartKind, walk};
use super::super::watched::{Events, NotWatched, PathWatches, WatchId};

/// Events of a folder itself.
const ITSELF: WatchFlags = WatchFlags::ONLYDIR
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// Events that can give a name new content, or remove it. A change of the mode may make the file readable.
const NAMES: WatchFlags = ITSELF
    .union(WatchFlags::CREATE)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
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
pub(super) struct WatchAdder(Arc<OwnedFd>);

impl Watch {
    #[expect(
        deprecated,
        reason = "the replacement is unsafe because some types change their descriptor; these types do not"
    )]
    pub(super) fn new() -> io::Result<Self> {
        let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let mounts = File::open("/proc/self/mountinfo")?;
        Ok(Self {
            events: AsyncFd::with_interest(Arc::new(events), Interest::READABLE)?,
            mounts: AsyncFd::with_interest(mounts, Interest::PRIORITY)?,
        })
    }

    pub(super) fn adder(&self) -> WatchAdder {
        WatchAdder(Arc::clone(self.events.get_ref()))
    }

    pub(super) fn remove(&self, folder: WatchId) {
        // The kernel has already removed the watch of a folder that no longer exists.
        let _: Result<(), rustix::io::Errno> = inotify::remove_watch(self.events.get_ref(), folder);
    }

    pub(super) async fn wait_for_event(&self) {
        // An error is not an event. The descriptors stay ready until the events are taken.
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

/// Returns the output of a future that is ready.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

impl WatchAdder {
    pub(super) fn add(&self, path: &Path) -> Result<PathWatches, NotWatched> {
        let refused = NotWatched::Refused;
        let mut watched = PathWatches::default();
        for part in walk(path, LastLink::Followed).map_err(refused)? {
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
            if part.kind == PartKind::File && is_mounted_by_itself(&part.path).map_err(refused)? {
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

    /// Adds these events to the watch of the folder.
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

    /// Whether the watch reports a change of the file `s` in the subfolder `d` after `act`.
    async fn changes(prepare: impl Fn(&Path), act: impl Fn(&Path)) -> bool {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d/s");
        fs::create_dir(dir.path().join("d")).unwrap();
        prepare(dir.path());
        let watch = Watch::new().unwrap();
        let watched = watch.adder().add(&path).unwrap();
        act(dir.path());
        let limit = Duration::from_millis(300);
        if tokio::time::timeout(limit, watch.wait_for_event())
            .await
            .is_err()
        {
            return false;
        }
        let events = watch.take();
        let after = watch.adder().add(&path).unwrap();
        let is_named = events.names.iter().any(|name| watched.names.contains(name));
        is_named || !watched.has_same_route(&after)
    }

    fn write(path: PathBuf) {
        fs::write(path, "secret").unwrap();
    }

    fn rename(from: PathBuf, to: PathBuf) {
        fs::rename(from, to).unwrap();
    }

    #[tokio::test]
    async fn writing_or_replacing_a_file_is_reported_as_a_change() {
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
        assert!(changes(there, gone).await, "it is gone");
    }

    #[tokio::test]
    async fn an_update_of_a_kubernetes_volume_is_reported_as_a_change() {
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
        // The file behind the links is changed in place.
        assert!(changes(volume, |d| write(d.join("d/..1/s"))).await);
        let beside = |d: &Path| write(d.join("d/..1/t"));
        assert!(!changes(volume, beside).await);
    }

    #[tokio::test]
    async fn replacing_a_parent_folder_or_link_is_reported_as_a_change() {
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
    async fn paths_in_one_folder_share_one_descriptor_and_one_watch() {
        let dir = tempfile::tempdir().unwrap();
        let watch = Watch::new().unwrap();
        let descriptor = watch.events.get_ref().as_raw_fd();
        let add = |name: &str| watch.adder().add(&dir.path().join(name)).unwrap();
        let (one, two) = (add("one"), add("two"));
        assert_eq!(one.names[0].0, two.names[0].0);
        assert!(!one.is_there);
        write(dir.path().join("one"));
        watch.wait_for_event().await;
        let names = watch.take().names;
        assert!(names.contains(&one.names[0]) && !names.contains(&two.names[0]));
        assert!(add("one").is_there);
        assert_eq!(watch.events.get_ref().as_raw_fd(), descriptor);
        // Taken events do not wake the watch again.
        let limit = Duration::from_millis(50);
        assert!(
            tokio::time::timeout(limit, watch.wait_for_event())
                .await
                .is_err()
        );
        watch.remove(one.names[0].0);
        watch.wait_for_event().await;
        assert_eq!(watch.take().folders, [one.names[0].0]);
    }

    #[tokio::test]
    async fn paths_on_file_systems_that_are_not_local_are_not_watched() {
        let watch = Watch::new().unwrap();
        let refused = watch.adder().add(Path::new("/proc/self/status"));
        assert!(matches!(refused, Err(NotWatched::NotLocal)), "{refused:?}");
        let refused = watch.adder().add(Path::new("/proc/version/none"));
        assert!(refused.is_err(), "{refused:?}");
    }
}
