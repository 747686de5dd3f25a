//! Answers a request without a wait if the held token suffices, as for nearly every request.

use hyper::Request;
use hyper::body::{Body as _, Incoming};

use super::super::service::{Service, SocketKind};
use super::guard;
use super::reply::{Reply, wants_plain};
use super::routes::Route;
use crate::policy::Caller;
use crate::problem::Problem;

/// The result of a request without a wait: its reply, or the route that may have to wait.
pub(super) enum Reached {
    Reply(Reply),
    Route(Route),
}

/// Returns the reply to a request for a token that is held, and `None` for any other request. It neither waits nor has
/// to be waited for.
pub(super) fn held(
    service: &Service,
    caller: &Caller,
    door: SocketKind,
    request: &Request<Incoming>,
) -> Option<Reply> {
    match at_once(service, caller, door, request) {
        Ok(Reached::Reply(reply)) => Some(reply),
        Ok(Reached::Route(_)) | Err(_) => None,
    }
}

/// Answers without a wait if the held token suffices. Otherwise returns what the request asks for.
pub(super) fn at_once(
    service: &Service,
    caller: &Caller,
    door: SocketKind,
    request: &Request<Incoming>,
) -> Result<Reached, Problem> {
    guard::check(request)?;
    let uri = request.uri();
    let route = Route::parse(request.method(), uri.path(), uri.query(), door)?;
    if let Route::Token {
        profile, min_valid, ..
    } = &route
        && request.body().is_end_stream()
        && let Some(served) = service.held(caller, profile, *min_valid)?
    {
        let plain = wants_plain(request);
        return Ok(Reached::Reply(Reply::token(profile, &served, plain)));
    }
    Ok(Reached::Route(route))
}
