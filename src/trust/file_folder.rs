//! The folder of a sink, a file that is written for other programs: judged before a token is written there, and kept
//! open.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::private::open_folder;
use super::{
    FileFacts, Purpose, TrustFault, UntrustedPath, acl, explained, group, resolve_in_volume,
};

/// The deepest level below a volume shared by several containers at which a folder is accepted.
const DEPTH: usize = 2;

/// An open folder that was judged.
#[derive(Debug)]
pub struct FileFolder {
    /// The folder.
    pub file: File,
    /// Its path without links.
    pub path: PathBuf,
    /// Whether every user can create files in it, as in `/tmp`.
    pub is_sticky: bool,
    /// Whether its content stays in memory and never reaches a disk.
    pub is_in_memory: bool,
}

/// Opens the folder `path` for files of `uid` that other programs read. Links on the way are followed. No other user
/// can change the way, or replace our files, except the containers of a pod that share a volume.
///
/// # Errors
/// [`UntrustedPath`] names the folder or link that others could change.
pub fn open_file_folder(path: &Path, uid: u32) -> Result<FileFolder, UntrustedPath> {
    open(path, uid).map_err(|untrusted| explained(untrusted.meant_for(Purpose::Sink), uid))
}

fn open(path: &Path, uid: u32) -> Result<FileFolder, UntrustedPath> {
    let way = resolve_in_volume(path, uid, Some(DEPTH))?;
    let path = way.real;
    let untrusted = |why| UntrustedPath::new(&path, why);
    let file = open_folder(&path).map_err(untrusted)?;
    let facts =
        FileFacts::of(&file).map_err(|e| untrusted(TrustFault::io("read the state of", e)))?;
    // So far only the path was judged, so the folder that was opened has to be judged as well.
    if way.volume.as_deref() != Some(&path) {
        facts
            .judge_folder(uid)
            .or_else(|why| group::accept_private(why, uid, || acl::of_file(&file)))
            .map_err(untrusted)?;
    }
    Ok(FileFolder {
        is_sticky: facts.mode & 0o1000 != 0,
        is_in_memory: is_in_memory(&file),
        file,
        path,
    })
}

#[cfg(target_os = "linux")]
#[allow(
    clippy::useless_conversion,
    reason = "the field's width differs between processors"
)]
/// Reports whether the content of an open folder stays in memory and never reaches a disk.
pub(crate) fn is_in_memory(file: &File) -> bool {
    const TMPFS: i64 = 0x0102_1994;
    const RAMFS: i64 = 0x8584_58f6;
    let kind = rustix::fs::fstatfs(file).map(|system| i64::from(system.f_type));
    kind.is_ok_and(|kind| [TMPFS, RAMFS].contains(&kind))
}

#[cfg(not(target_os = "linux"))]
/// Returns false: this system does not report it.
pub(crate) fn is_in_memory(_: &File) -> bool {
    false
}
