//! Whether a daemon is believed at a place that the user did not name.
//!
//! Another user may have made the folder or left the variable, and what listens there would get a token that is to be
//! reported and choose what the companion prints. So the kernel's word about the peer decides: the user of the process
//! that called `listen`, which under socket activation is the service manager.

use super::Place;
use super::dial::dial;
#[cfg(target_os = "linux")]
use super::lenders::{Lent, is_unmapped, lent_by, pin};
use crate::deadline::Deadline;
use crate::output::Exit;
use crate::sys::{self, Stream};

/// Returns a connection to a daemon that is believed, or the user of one that is not.
pub(super) fn judge(
    stream: Stream,
    place: Place<'_>,
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

/// Connects again, where a folder lends its trust to others: through the descriptor of that folder, since the path may
/// lead to another one by now.
#[cfg(target_os = "linux")]
#[inline(never)]
fn elsewhere(place: Place<'_>, deadline: &Deadline) -> Result<Option<Stream>, Exit> {
    let Some((folder, address)) = pin(place) else {
        return Ok(None);
    };
    let lent = lent_by(&folder);
    if matches!(lent, Lent::ToNoUser) {
        return Ok(None);
    }
    let stream = dial(&address, deadline)?.ok();
    Ok(stream.filter(|stream| {
        let peer = user_of(stream);
        match lent {
            Lent::ToNoUser => false,
            Lent::Of(owner) => peer == owner || is_ours(peer),
            Lent::ToEveryUser => true,
        }
    }))
}

/// No folder lends its trust on other systems.
#[cfg(not(target_os = "linux"))]
fn elsewhere(_: Place<'_>, _: &Deadline) -> Result<Option<Stream>, Exit> {
    Ok(None)
}

/// The user at the other end; -1, which no user has, if the kernel does not tell.
fn user_of(stream: &Stream) -> u32 {
    stream.peer().unwrap_or(u32::MAX)
}

#[inline(never)]
fn is_ours(peer: u32) -> bool {
    peer == 0 || peer == sys::uid() && peer != u32::MAX && !is_unmapped(peer)
}

/// Other systems have no user namespaces.
#[cfg(not(target_os = "linux"))]
fn is_unmapped(_: u32) -> bool {
    false
}
