//! A report of a token that a command got as proof of a credential. Some issuers revoke a client's old tokens at each
//! new one, so the running daemon must know that its tokens of the same client may be revoked.

use std::path::Path;

use super::admin;
use crate::clock::{Clock as _, SystemClock};
use crate::credential::Credential;
use crate::instant::BootInstant;
use crate::wire::token_issued::TokenIssued;

/// The client that was given a token, and the time. It holds no secret.
pub(super) struct Proof {
    /// The origin of the token endpoint, as `scheme://host[:port]`.
    pub(super) origin: String,
    /// The client ID.
    pub(super) client_id: String,
    at: BootInstant,
}

// === impl Proof ===

impl Proof {
    /// Records that the issuer has just given a token for this credential. `None` for a credential without a bound
    /// address.
    pub(super) fn of(credential: &Credential) -> Option<Self> {
        Some(Self {
            origin: credential.origin()?,
            client_id: credential.client_id.clone(),
            at: SystemClock.now().boot,
        })
    }

    /// Reports to the daemon at this admin socket. A daemon that cannot be reached, or is too old, keeps its tokens
    /// until a caller reports them: no command fails for that.
    pub(super) fn tell(&self, socket: &Path) {
        let issued = TokenIssued {
            origin: self.origin.clone(),
            client_id: self.client_id.clone(),
            seconds_ago: SystemClock.now().boot.since(self.at).as_secs_f64(),
        };
        let told = serde_json::to_string(&issued).map_err(std::io::Error::from);
        let told = told.and_then(|body| admin::post(socket, "/v1/token-issued", &body));
        // If no daemon can be reached, the reload that follows a proof says so.
        let _: std::io::Result<()> = told;
    }
}
