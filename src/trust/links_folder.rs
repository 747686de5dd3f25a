//! The folder of links that other programs start: judged before its links are used, and kept open.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::private::open_folder;
use super::{Distrust, Facts, Purpose, Untrusted, acl, explained, group, resolve};

/// Opens the folder `path`, following links, and returns it with its path without links. Only root and `uid` can change
/// the way to it, and their entries in it.
///
/// # Errors
/// [`Untrusted`] names the folder or link that others could change.
pub fn open_links_folder(path: &Path, uid: u32) -> Result<(File, PathBuf), Untrusted> {
    open(path, uid).map_err(|untrusted| explained(untrusted.meant_for(Purpose::Links), uid))
}

fn open(path: &Path, uid: u32) -> Result<(File, PathBuf), Untrusted> {
    let real = resolve(path, uid)?;
    let untrusted = |why| Untrusted::new(&real, why);
    let folder = open_folder(&real).map_err(untrusted)?;
    let facts = Facts::of(&folder).map_err(|e| untrusted(Distrust::io("read the state of", e)))?;
    facts
        .judge_folder(uid)
        .or_else(|why| group::accept_private(why, uid, || acl::of_file(&folder)))
        .map_err(untrusted)?;
    Ok((folder, real))
}
