//! Explains why the system does not let a user read a file.

use std::path::Path;

use rustix::process::{getegid, geteuid};

use super::denied::Denied;
use super::error::UntrustedPath;
use super::facts::owned;
use super::trust_fault::TrustFault;

/// Replaces the system's refusal to let `daemon` read a file by the facts that decide about it.
pub(super) fn explained(untrusted: UntrustedPath, daemon: u32) -> UntrustedPath {
    match explain(&untrusted, daemon) {
        Some((path, why)) => UntrustedPath {
            path: path.to_owned(),
            why,
            ..untrusted
        },
        None => untrusted,
    }
}

#[allow(
    clippy::unnecessary_cast,
    clippy::cast_lossless,
    reason = "the fields' widths differ between systems"
)]
fn explain(untrusted: &UntrustedPath, daemon: u32) -> Option<(&Path, TrustFault)> {
    let (path, is_folder) = match &untrusted.why {
        TrustFault::Io { source, .. } if source.kind() != std::io::ErrorKind::PermissionDenied => {
            return None;
        }
        TrustFault::Io { action: "open", .. } => (untrusted.path.as_path(), false),
        // The folders above have been passed one by one, so it is the parent that denies access.
        TrustFault::Io { action: "find", .. } => (untrusted.path.parent()?, true),
        _ => return None,
    };
    let stat = rustix::fs::stat(path).ok()?;
    let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
    if let Err(why) = owned(stat.st_uid, daemon, kind) {
        return Some((path, why));
    }
    let denied = Denied {
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
        daemon,
        owner: stat.st_uid,
        group: stat.st_gid,
        mode: stat.st_mode as u32 & 0o7777,
        is_folder,
    };
    // If every user has the right, something else decides, such as an access list.
    (denied.mode & denied.right() == 0).then_some((path, TrustFault::Denied(denied)))
}
