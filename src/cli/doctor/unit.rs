//! Findings about a service manager's socket: whether the users whom the configuration allows can connect.

use std::path::Path;

use super::super::socket_unit::{USUAL, lost_group, manager, moved, unfit};
use super::super::target::Target;
use super::finding::Finding;
use super::limit::within;
use crate::config::SocketMode;
use crate::paths::Env;

/// The finding for a socket whose unit does not fit the mode. A socket that cannot be examined has a finding already.
pub(super) async fn finding(target: &Target, env: &Env, mode: SocketMode) -> Option<Finding> {
    let (looked, of) = (target.clone(), env.clone());
    let unfit = within(move || unfit(&looked, &of, mode)).await.ok()??;
    let remedy = unfit.remedy(manager(target));
    Some(Finding::warn("socket mode", unfit.found()).remedy(remedy))
}

/// The finding for a socket unit of the system's daemon whose socket is not where the companion looks.
pub(super) async fn place_finding(target: &Target) -> Option<Finding> {
    if !target.system {
        return None;
    }
    let moved = within(moved).await.ok()??;
    let token = moved.token.display();
    let found = format!(
        "jetond.socket makes its socket at {token}, which is not one of jeton's usual places"
    );
    let remedy = format!("name it to the clients: JETON_SOCKET={token}, for root --socket {token}");
    let is_usual = moved.token == Path::new(USUAL);
    (!is_usual).then(|| Finding::warn("socket place", found).remedy(remedy))
}

/// The finding for a socket unit that names a group which the machine does not know.
pub(super) async fn lost_group_finding(target: &Target) -> Option<Finding> {
    let looked = target.clone();
    let (found, remedy) = within(move || lost_group(&looked)).await.ok()??;
    Some(Finding::warn("socket group", found).remedy(remedy))
}
