//! Decides whether a daemon is trusted at a place that the user did not name.
//!
//! Another user may have created the folder or set the variable. The process that listens there would get the token of
//! a rejection report, and could choose what the companion prints. So the kernel's data about the peer decides: the
//! user of the process that called `listen`, which under socket activation is the service manager.

use super::SplitPath;
use super::dial::dial;
#[cfg(target_os = "linux")]
use super::trusted_folders::{TrustedUsers, is_unmapped, pin_folder, trusted_users_of};
use crate::deadline::Deadline;
use crate::output::Exit;
use crate::sys::{self, Stream};

/// Returns a connection to a trusted daemon, or the user of an untrusted one.
pub(super) fn judge(
    stream: Stream,
    place: SplitPath<'_>,
    deadline: &Deadline,
) -> Result<Result<Stream, u32>, Exit> {
    if place.named {
        return Ok(Ok(stream));
    }
    let peer = user_of(&stream);
    if is_ours(peer) {
        return Ok(Ok(stream));
    }
    drop(stream);
    let again = elsewhere(place, deadline)?;
    Ok(again.ok_or(peer))
}

/// Connects again if the folder makes other users' daemons trusted. It uses the folder's descriptor, since the path may
/// lead to another folder by now.
#[cfg(target_os = "linux")]
#[inline(never)]
fn elsewhere(place: SplitPath<'_>, deadline: &Deadline) -> Result<Option<Stream>, Exit> {
    let Some((folder, address)) = pin_folder(place) else {
        return Ok(None);
    };
    let lent = trusted_users_of(&folder);
    if matches!(lent, TrustedUsers::ToNoUser) {
        return Ok(None);
    }
    let stream = dial(&address, deadline)?.ok();
    Ok(stream.filter(|stream| {
        let peer = user_of(stream);
        match lent {
            TrustedUsers::ToNoUser => false,
            TrustedUsers::Of(owner) => peer == owner || is_ours(peer),
            TrustedUsers::ToEveryUser => true,
        }
    }))
}

/// Returns none: on other systems, no folder makes other users' daemons trusted.
#[cfg(not(target_os = "linux"))]
fn elsewhere(_: SplitPath<'_>, _: &Deadline) -> Result<Option<Stream>, Exit> {
    Ok(None)
}

/// Returns the user at the other end; -1, which no user has, if the kernel does not report it.
fn user_of(stream: &Stream) -> u32 {
    stream.peer().unwrap_or(u32::MAX)
}

#[inline(never)]
fn is_ours(peer: u32) -> bool {
    peer == 0 || peer == sys::uid() && peer != u32::MAX && !is_unmapped(peer)
}

/// Returns false: other systems have no user namespaces.
#[cfg(not(target_os = "linux"))]
fn is_unmapped(_: u32) -> bool {
    false
}
