//! Answers a tool's client: with a token, and the expiry that the client is told.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use super::Service;
use super::runs::answer;
use crate::daemon::keep::handle::{Handle, Served};
use crate::daemon::keep::patience::Patience;
use crate::policy::Peer;
use crate::problem::Problem;
use crate::query::{AddressAnswer, AddressQuery, ReportedExpiry, reported_expiry};

impl Service {
    /// Returns the token for an address, with the expiry that the client is told.
    ///
    /// # Errors
    /// As [`Service::token_at`].
    pub(super) async fn answer_at(
        &self,
        peer: &Peer,
        query: &AddressQuery,
        max_wait: Patience,
    ) -> Result<AddressAnswer, Problem> {
        let (handle, served, entry) = self.token_at(&peer.caller, query, max_wait).await?;
        let reported = reported(&handle, &served, query.window, peer);
        Ok(AddressAnswer {
            expires_at: served.at.unix_of(reported.at),
            token: answer(&handle, served),
            entry,
        })
    }
}

/// The expiry that this peer is told.
fn reported(
    handle: &Arc<Handle>,
    served: &Served,
    window: Option<Duration>,
    peer: &Peer,
) -> ReportedExpiry {
    let (held, now) = (&served.held, served.at.boot);
    let spread = spread(peer, held.generation);
    let window = window.unwrap_or_default();
    reported_expiry(
        now,
        held.validity.expires,
        handle.next_refresh(),
        window,
        spread,
    )
}

/// What spreads the clients of one token: the same for one peer and generation.
fn spread(peer: &Peer, generation: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (peer.caller.uid, peer.pid, generation).hash(&mut hasher);
    hasher.finish()
}
