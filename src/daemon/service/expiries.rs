//! Answers to tools that get a token for an address, and the expiry that these tools get.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use super::Service;
use super::runs::answer;
use super::second_calls::Client;
use crate::config::HostEntry;
use crate::daemon::keep::handle::{Handle, ServedToken};
use crate::daemon::keep::wait_limit::WaitLimit;
use crate::policy::Peer;
use crate::problem::Problem;
use crate::process::parent::parent_of;
use crate::query::{AddressAnswer, AddressQuery, ReportedExpiry, reported_expiry};

/// Longest wait of a client whose second call causes a refresh.
const SECOND_CALL: Duration = Duration::from_secs(3);

/// The token for an address, and how it was found.
struct FoundToken {
    handle: Arc<Handle>,
    served: ServedToken,
    /// The entry that matched.
    entry: Option<HostEntry>,
    /// The client, if it keeps a token until its expiry or a 401, so that an early second call is a sign of trouble.
    client: Option<Client>,
}

impl Service {
    /// Returns the token for an address, with the expiry to tell the client.
    ///
    /// # Errors
    /// As [`Service::token_at`].
    pub(super) async fn answer_at(
        &self,
        peer: &Peer,
        query: &AddressQuery,
        max_wait: WaitLimit,
    ) -> Result<AddressAnswer, Problem> {
        let left = self.countdown(max_wait);
        let FoundToken {
            handle,
            served,
            entry,
            client,
        } = loop {
            let before = self.roster.all();
            let found = self.newest_at(peer, query, &left).await?;
            // A reload during the wait may have assigned the address to another profile, or removed it.
            let is_same = Arc::ptr_eq(&before, &self.roster.all());
            if is_same || self.is_still(&peer.caller, query, &found.handle, &found.entry) {
                break found;
            }
        };
        let reported = reported(&handle, &served, query.window, peer);
        if query.window.is_some() && !reported.is_planned {
            handle.note_real_expiry(served.held.generation);
        }
        if let Some(client) = client {
            let (now, generation) = (served.at.boot, served.held.generation);
            self.second_calls.note(now, client, generation, reported.at);
        }
        Ok(AddressAnswer {
            expires_at: served.at.unix_of(reported.at),
            token: answer(&handle, served),
            entry,
        })
    }

    /// Returns the token for an address. A client that comes back for a token that it already has gets a newer one.
    async fn newest_at(
        &self,
        peer: &Peer,
        query: &AddressQuery,
        left: &(impl Fn() -> WaitLimit + Sync),
    ) -> Result<FoundToken, Problem> {
        let caller = &peer.caller;
        let (mut handle, mut served, entry) = self.token_at(caller, query, left()).await?;
        let client = Some(peer).filter(|_| query.keeps_until_401);
        let client = client.and_then(|peer| client_of(peer, &handle));
        if let Some(client) = &client {
            let (now, generation) = (served.at.boot, served.held.generation);
            if self.second_calls.is_second(now, client, generation) {
                let left = left();
                let left = left.limited_to(left.limit().min(SECOND_CALL));
                let newer = self.of_now(caller, handle, |handle| {
                    Box::pin(handle.instead_of(generation, left.clone()))
                });
                (handle, served) = newer.await?;
            }
        }
        Ok(FoundToken {
            handle,
            served,
            entry,
            client,
        })
    }
}

/// Identifies the program that started the companion, if the kernel shows it.
fn client_of(peer: &Peer, handle: &Handle) -> Option<Client> {
    Some(Client {
        uid: peer.caller.uid,
        parent: parent_of(peer.pid?)?,
        profile: handle.name().clone(),
    })
}

/// Computes the expiry to tell this peer.
fn reported(
    handle: &Handle,
    served: &ServedToken,
    window: Option<Duration>,
    peer: &Peer,
) -> ReportedExpiry {
    let (held, now) = (&served.held, served.at.boot);
    let (expires, next_refresh) = (held.validity.expires, handle.next_refresh());
    let spread = spread(peer, held.generation);
    reported_expiry(
        now,
        expires,
        next_refresh,
        window.unwrap_or_default(),
        spread,
    )
}

/// Returns a number that spreads the clients of a token in time. It is the same for the same peer and generation.
fn spread(peer: &Peer, generation: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (peer.caller.uid, peer.pid, generation).hash(&mut hasher);
    hasher.finish()
}
