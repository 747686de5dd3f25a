//! Files that a configuration names, judged and read together: the bytes that were judged are the bytes that are used.

use std::io::Read as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::{
    FileFacts, GroupFault, Purpose, TrustFault, UntrustedPath, acl, explained, group, namespace,
    open_file, resolve_in_volume,
};

/// The content of a file that a configuration names.
#[derive(Debug)]
pub struct NamedFile {
    /// Its bytes.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Whether only root can change it, and every folder or link that leads to it.
    pub only_root: bool,
}

/// Reads a file of at most `cap` bytes that only root and `uid` can have changed. A private key
/// ([`Purpose::ClientKey`]) may be readable only by root, `uid` and a group that root has chosen; an access list that
/// names further readers is refused.
///
/// # Errors
/// [`UntrustedPath`] names the problem with the file, or with a folder or link that leads to it, and the remedy.
pub fn read_named(
    path: &Path,
    uid: u32,
    purpose: Purpose,
    cap: u64,
) -> Result<NamedFile, UntrustedPath> {
    read(path, uid, purpose, cap).map_err(|untrusted| explained(untrusted, uid))
}

fn read(path: &Path, uid: u32, purpose: Purpose, cap: u64) -> Result<NamedFile, UntrustedPath> {
    let way = resolve_in_volume(path, uid, None).map_err(|error| error.meant_for(purpose))?;
    let untrusted = |why| UntrustedPath::new(&way.real, why).meant_for(purpose);
    let file = open_file(&way.real).map_err(untrusted)?;
    let facts =
        FileFacts::of(&file).map_err(|e| untrusted(TrustFault::io("read the state of", e)))?;
    // A mount that is read-only for us may be writable for other users, as with a unit's ProtectSystem=.
    let facts = FileFacts {
        read_only: false,
        ..facts
    };
    let accept = |why| group::accept_private(why, uid, || acl::of_file(&file));
    facts.judge_file(uid).or_else(accept).map_err(untrusted)?;
    if purpose == Purpose::ClientKey {
        let verdict = facts.judge_key(way.is_in_data);
        verdict.or_else(accept).map_err(untrusted)?;
        // With an access list, the group bits of the mode are the maximum of every entry. Root has chosen the group,
        // and may have meant only that group.
        let is_of_group = facts.mode & 0o044 == 0o040;
        if is_of_group && acl::lets_others_read(&file, uid) {
            return Err(untrusted(facts.readable(Some(GroupFault::AccessList))));
        }
    }
    if facts.len > cap {
        return Err(untrusted(TrustFault::TooLarge(cap)));
    }
    // The file's size and one byte more: if the buffer grew, it would leave a copy of a key behind.
    let size = usize::try_from(facts.len).unwrap_or(0).saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    (&file)
        .take(cap + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| untrusted(TrustFault::io("read", e)))?;
    if bytes.len() as u64 > cap {
        return Err(untrusted(TrustFault::TooLarge(cap)));
    }
    let only_root = way.only_root && facts.only_root() && namespace::has_every_user();
    Ok(NamedFile { bytes, only_root })
}

#[cfg(test)]
mod tests;
