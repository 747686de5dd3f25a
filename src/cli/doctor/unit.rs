//! Whether the socket that a service manager makes lets in those whom the configuration lets in.

use super::super::socket_unit::{manager, unfit};
use super::super::target::Target;
use super::finding::Finding;
use super::limit::within;
use crate::config::SocketMode;
use crate::paths::Env;

/// The finding for a socket whose unit does not fit the mode. Where it cannot be looked at, there is a finding already.
pub(super) async fn finding(target: &Target, env: &Env, mode: SocketMode) -> Option<Finding> {
    let (looked, of) = (target.clone(), env.clone());
    let unfit = within(move || unfit(&looked, &of, mode)).await.ok()??;
    let remedy = unfit.remedy(manager(target));
    Some(Finding::warn("socket mode", unfit.found()).remedy(remedy))
}
