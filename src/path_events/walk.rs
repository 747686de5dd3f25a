//! The parts of a path in the order in which the kernel resolves them.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::trust::names;

/// Maximum number of links that Linux follows on a path.
const MAX_LINKS: usize = 40;

/// A part of a path.
#[derive(Debug)]
pub(super) struct Part {
    /// The path of the part. None of the folders above it is a link.
    pub(super) path: PathBuf,
    pub(super) kind: PartKind,
    /// `None` if the part is missing.
    pub(super) meta: Option<Metadata>,
}

/// The kind of a part of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PartKind {
    Folder,
    /// A symbolic link. The parts of its target follow.
    Link,
    /// Anything else. It is the last part.
    File,
    /// The name does not exist, and the path ends here.
    Missing,
}

/// The treatment of a link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastLink {
    /// Stop at the link itself.
    Itself,
    /// Follow the link to its target.
    Followed,
}

/// Returns every part of this absolute path in the order in which the kernel resolves them, including the targets of
/// symbolic links, up to the first missing name. Omits the root folder, which can be neither moved nor removed.
///
/// # Errors
/// The system's errors if a part cannot be read, or an error if there are too many links.
pub(super) fn walk(path: &Path, last: LastLink) -> io::Result<Vec<Part>> {
    let mut todo: VecDeque<OsString> = names(path);
    let (mut at, mut parts, mut links) = (PathBuf::from("/"), vec![], 0);
    while let Some(name) = todo.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        at.push(name);
        let meta = match at.symlink_metadata() {
            Ok(meta) => meta,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                parts.push(Part {
                    path: at,
                    kind: PartKind::Missing,
                    meta: None,
                });
                return Ok(parts);
            }
            Err(e) => return Err(e),
        };
        let kind = match () {
            () if meta.is_dir() => PartKind::Folder,
            () if meta.is_symlink() => PartKind::Link,
            () => PartKind::File,
        };
        parts.push(Part {
            path: at.clone(),
            kind,
            meta: Some(meta),
        });
        if kind == PartKind::Link && (last == LastLink::Followed || !todo.is_empty()) {
            links += 1;
            if links > MAX_LINKS {
                return Err(Errno::LOOP.into());
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
    Ok(parts)
}
