//! File trust: who owns a file or a folder and who else can change it, checked before it is used.
//!
//! A configuration decides where a secret is sent. A user who can write it, or rename a folder above it, could redirect
//! the secret. So a file is opened once and judged by its descriptor. The folders on the way to it, and the links among
//! them, are judged before they are followed, so that nothing can be exchanged in between.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, StatVfsMountFlags};
use rustix::io::Errno;

mod acl;
mod denied;
mod error;
mod explained;
mod facts;
mod file_folder;
mod full;
mod group;
mod links_folder;
mod named;
mod namespace;
mod private;
mod program;
mod remedy;
mod shared;
mod trust_fault;
mod volume;

pub use denied::Denied;
pub use error::{UntrustedPath, is_passing};
pub(crate) use facts::FileFacts;
pub(crate) use file_folder::is_in_memory;
pub use file_folder::{FileFolder, open_file_folder};
pub use full::is_full;
pub use links_folder::open_links_folder;
pub use named::{NamedFile, read_named};
pub use private::private_dir;
pub(crate) use private::{judge_lock, make_folders, open_private};
pub use program::judge_program;
pub use shared::{Sharing, SocketFolder, barrier};
pub use trust_fault::{GroupFault, Purpose, TrustFault};
pub use volume::is_volume;

use explained::explained;
use facts::owned;

/// The largest accepted configuration, in bytes: a thousand profiles take less than a quarter of it.
pub const MAX_CONFIG_LEN: u64 = 1 << 20;

/// The most links on one path, as many as Linux follows.
const MAX_LINKS: usize = 40;

/// Reads a configuration file that only root and `uid` can have written.
///
/// # Errors
/// [`UntrustedPath`] names the problem with the file or with a folder above it, and the remedy. A missing file is
/// [`TrustFault::Missing`].
pub fn open_config(path: &Path, uid: u32) -> Result<Vec<u8>, UntrustedPath> {
    let read = || {
        let real = resolve(path, uid)?;
        let file = open_file(&real).map_err(|why| UntrustedPath::new(&real, why))?;
        judge_config(&real, &file, uid)
    };
    read().map_err(|untrusted| explained(untrusted, uid))
}

/// Judges an opened configuration file by its descriptor, and reads it.
fn judge_config(path: &Path, file: &File, uid: u32) -> Result<Vec<u8>, UntrustedPath> {
    let untrusted = |why| UntrustedPath::new(path, why);
    let facts =
        FileFacts::of(file).map_err(|e| untrusted(TrustFault::io("read the state of", e)))?;
    facts
        .judge_file(uid)
        .or_else(|why| group::accept_private(why, uid, || acl::of_file(file)))
        .map_err(untrusted)?;
    if facts.len > MAX_CONFIG_LEN {
        return Err(untrusted(TrustFault::TooLarge(MAX_CONFIG_LEN)));
    }
    let mut bytes = Vec::new();
    file.take(MAX_CONFIG_LEN + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| untrusted(TrustFault::io("read", e)))?;
    if bytes.len() as u64 > MAX_CONFIG_LEN {
        return Err(untrusted(TrustFault::TooLarge(MAX_CONFIG_LEN)));
    }
    Ok(bytes)
}

/// Opens a file to be judged. Opening a fifo must not block, and a link is not followed: `resolve` has already followed
/// links.
fn open_file(path: &Path) -> Result<File, TrustFault> {
    let flags =
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => Ok(File::from(fd)),
        // A socket, or a device without a driver.
        Err(Errno::NXIO) => Err(TrustFault::NotAFile),
        Err(Errno::LOOP) => Err(TrustFault::IsALink),
        Err(e) => Err(TrustFault::io("open", e.into())),
    }
}

/// Follows a path as the kernel would, but judges each folder before it looks into it and each link before it follows
/// it. The result has no link in it, and only root and `uid` can change what it leads to.
///
/// # Errors
/// [`UntrustedPath`] names the folder or link that others could change.
pub fn resolve(path: &Path, uid: u32) -> Result<PathBuf, UntrustedPath> {
    resolve_in_volume(path, uid, None).map(|way| way.real)
}

/// A path that was followed step by step.
struct ResolvedPath {
    /// The path without links.
    real: PathBuf,
    /// The volume that it leads through, if every user can write to that volume.
    volume: Option<PathBuf>,
    /// Whether only root can change any folder or link on it. A folder with the sticky bit does not qualify: other
    /// users can still create missing entries in it.
    only_root: bool,
    /// Whether it leads through root's link `..data`, with which Kubernetes replaces the content of a volume
    /// atomically.
    is_in_data: bool,
}

/// Works like [`resolve`]. With `below`, the path may also lead through a volume that every user can write to
/// ([`is_volume`]), if the result is at most this many folders below it.
fn resolve_in_volume(
    path: &Path,
    uid: u32,
    below: Option<usize>,
) -> Result<ResolvedPath, UntrustedPath> {
    let mut volume = None;
    let mut is_in_data = false;
    let absolute = std::path::absolute(path)
        .map_err(|e| UntrustedPath::new(path, TrustFault::io("find the folder of", e)))?;
    let mut todo: VecDeque<OsString> = names(&absolute);
    let mut real = PathBuf::from("/");
    let mut links = 0;
    let mut only_root = judge_folder(&real, uid)?.only_root();
    while let Some(name) = todo.pop_front() {
        if name == ".." {
            real.pop();
            continue;
        }
        real.push(&name);
        let untrusted = |why| UntrustedPath::new(&real, why);
        let stat = rustix::fs::statat(CWD, &real, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| untrusted(TrustFault::io("find", e.into())))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(untrusted(TrustFault::TooManyLinks));
                }
                owned(stat.st_uid, uid, FileType::Symlink).map_err(untrusted)?;
                only_root &= stat.st_uid == 0;
                is_in_data |= stat.st_uid == 0 && name == "..data";
                let target = std::fs::read_link(&real)
                    .map_err(|e| untrusted(TrustFault::io("read the link", e)))?;
                real.pop();
                if target.is_absolute() {
                    real = PathBuf::from("/");
                }
                for name in names(&target).into_iter().rev() {
                    todo.push_front(name);
                }
            }
            FileType::Directory => match judge_folder(&real, uid) {
                Err(_) if below.is_some_and(|most| todo.len() <= most) && is_volume(&real) => {
                    volume = Some(real.clone());
                    only_root = false;
                }
                verdict => only_root &= verdict?.only_root(),
            },
            FileType::RegularFile if todo.is_empty() => {}
            _ if todo.is_empty() => return Err(untrusted(TrustFault::NotAFile)),
            _ => return Err(untrusted(TrustFault::NotAFolder)),
        }
    }
    Ok(ResolvedPath {
        real,
        volume,
        only_root,
        is_in_data,
    })
}

/// Returns the names of a path, without its root and its dots. `..` stays, since its meaning depends on links.
pub(crate) fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect()
}

fn judge_folder(path: &Path, uid: u32) -> Result<FileFacts, UntrustedPath> {
    let untrusted = |why| UntrustedPath::new(path, why);
    let stat = rustix::fs::stat(path)
        .map_err(|e| untrusted(TrustFault::io("read the state of", e.into())))?;
    let mount = rustix::fs::statvfs(path)
        .map_err(|e| untrusted(TrustFault::io("read the mount of", e.into())))?;
    let read_only = mount.f_flag.contains(StatVfsMountFlags::RDONLY);
    let mut facts = FileFacts::new(&stat, read_only);
    if path == Path::new("/") && namespace::is_outer_root(facts.owner, uid) {
        facts.owner = 0;
    }
    facts
        .judge_folder(uid)
        .or_else(|why| group::accept_private(why, uid, || acl::of_path(path)))
        .map_err(untrusted)?;
    Ok(facts)
}

#[cfg(test)]
mod tests;
