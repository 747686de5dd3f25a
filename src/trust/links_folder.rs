//! The folder of links that other programs start: judged before its links are used, and kept open.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::private::open_folder;
use super::{FileFacts, Purpose, TrustFault, UntrustedPath, acl, explained, group, resolve};

/// Opens the folder `path`, following links, and returns it with its path without links. Only root and `uid` can change
/// the way to it, and their entries in it.
///
/// # Errors
/// [`UntrustedPath`] names the folder or link that others could change.
pub fn open_links_folder(path: &Path, uid: u32) -> Result<(File, PathBuf), UntrustedPath> {
    open(path, uid).map_err(|untrusted| explained(untrusted.meant_for(Purpose::Links), uid))
}

fn open(path: &Path, uid: u32) -> Result<(File, PathBuf), UntrustedPath> {
    let real = resolve(path, uid)?;
    let untrusted = |why| UntrustedPath::new(&real, why);
    let folder = open_folder(&real).map_err(untrusted)?;
    let facts =
        FileFacts::of(&folder).map_err(|e| untrusted(TrustFault::io("read the state of", e)))?;
    facts
        .judge_folder(uid)
        .or_else(|why| group::accept_private(why, uid, || acl::of_file(&folder)))
        .map_err(untrusted)?;
    Ok((folder, real))
}
