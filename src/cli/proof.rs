//! A token that a command got as proof of a credential. Some issuers end a client's old tokens at each new one, so the
//! running daemon is told: its tokens of the same client may be dead.

use std::path::Path;

use super::admin;
use crate::clock::{Clock as _, SystemClock};
use crate::credential::Credential;
use crate::instant::BootInstant;
use crate::wire::token_issued::TokenIssued;

/// Which client was given a token, and when. It holds no secret.
pub(super) struct Proof {
    /// The origin of the token endpoint, as `scheme://host[:port]`.
    pub(super) origin: String,
    /// The client ID.
    pub(super) client_id: String,
    at: BootInstant,
}

// === impl Proof ===

impl Proof {
    /// The issuer has given a token for this credential just now. `None` for one that is bound to no address.
    pub(super) fn of(credential: &Credential) -> Option<Self> {
        Some(Self {
            origin: credential.origin()?,
            client_id: credential.client_id.clone(),
            at: SystemClock.now().boot,
        })
    }

    /// Tells the daemon at this admin socket. One that cannot be told, or does not know of this, keeps the tokens that it
    /// has until they are reported: no command fails for that.
    pub(super) fn tell(&self, socket: &Path) {
        let issued = TokenIssued {
            origin: self.origin.clone(),
            client_id: self.client_id.clone(),
            seconds_ago: SystemClock.now().boot.since(self.at).as_secs_f64(),
        };
        let told = serde_json::to_string(&issued).map_err(std::io::Error::from);
        let told = told.and_then(|body| admin::post(socket, "/v1/token-issued", &body));
        // Where no daemon can be told, the reload that follows a proof says so.
        let _: std::io::Result<()> = told;
    }
}
