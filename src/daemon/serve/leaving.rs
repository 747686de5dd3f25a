//! Ends a connection that was told to leave.

use std::pin::Pin;

use tokio::task::yield_now;

use super::connection_progress::ConnectionProgress;
use super::connections::{ConnectionSlot, LeaveReason};
use super::framing::Framing;

/// Runs a connection that was told to leave until it ends. Returns `None` if it must be closed as it is.
///
/// When the daemon stops, a connection that has not sent its first request yet gets a moment to do so, because most
/// clients open a connection for each request. Every answer from then on carries `Connection: close`. `end_when_idle`
/// closes the connection as soon as hyper has no request from it.
pub(super) async fn end<C: Future>(
    mut connection: Pin<&mut C>,
    told: LeaveReason,
    pace: &ConnectionProgress,
    framing: &Framing,
    place: &ConnectionSlot,
    end_when_idle: impl FnOnce(Pin<&mut C>),
) -> Option<C::Output> {
    if told == LeaveReason::AtOnce {
        // Answer a waiting request now. Also answer a request that has already arrived, if that needs no wait: the
        // event loop polls the connection once more.
        framing.end();
        pace.end_wait();
        return until(connection, yield_now()).await;
    }
    framing.end();
    let ended = if pace.is_idle() {
        // Poll once more here as well: the client may have sent a request before it could know of the stop.
        until(connection.as_mut(), yield_now()).await
    } else if pace.is_busy() || framing.holds_head() {
        None
    } else {
        let overdue = async {
            place.first_request_is_overdue().await;
            // Poll once more: a connection that waited for its place until that moment may have sent its request long
            // before.
            yield_now().await;
        };
        until(connection.as_mut(), overdue).await
    };
    if ended.is_some() {
        return ended;
    }
    if !framing.holds_head() {
        end_when_idle(connection.as_mut());
    }
    until(connection, place.overdue()).await
}

/// Runs a connection until `event` happens. Returns `None` if the event comes first.
async fn until<C: Future>(
    connection: Pin<&mut C>,
    event: impl Future<Output = ()>,
) -> Option<C::Output> {
    tokio::select! { biased;
        ended = connection => Some(ended),
        () = event => None,
    }
}
