//! Tokens obtained outside the keeper's attempts. They prove that a new secret works, and the keeper adopts them once
//! the secret is in use.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::super::attempt::Call;
use super::super::keeper::{Adopted, Command};
use super::Handle;
use crate::credential::Credential;
use crate::instant::{BootInstant, UnixTime};
use crate::lifecycle::credentials::CallEnd;
use crate::token::Grant;

impl Handle {
    /// Asks the issuer for a token with this credential, which need not be the stored one. The call counts against the
    /// issuer's concurrency limit. It is not one of the keeper's attempts: a rejection or failure does not count for
    /// the profile.
    pub async fn prove(&self, credential: Arc<Credential>) -> CallEnd {
        let call = Call {
            profile: self.name.clone(),
            provider: Arc::clone(&self.prover.provider),
            clock: Arc::clone(&self.clock),
            compartment: self.prover.compartment.clone(),
            waiters: Arc::default(),
            credential,
            held: None,
            not_before: self.clock.now().boot,
        };
        call.make().await
    }

    /// Hands the keeper a token that was granted for the stored credential. The keeper reads the store first, because
    /// the credential has just been replaced.
    pub async fn adopt(&self, sent: BootInstant, grant: Grant, date: Option<UnixTime>) {
        self.recheck().await;
        let token = Box::new(Adopted { sent, grant, date });
        let (done, heard) = oneshot::channel();
        // A keeper that has ended holds no token.
        if self
            .commands
            .send(Command::Adopt { token, done })
            .await
            .is_ok()
        {
            let _: Result<_, _> = heard.await;
        }
    }
}
