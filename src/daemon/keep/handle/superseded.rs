//! Tokens that the issuer gave to the same client without this profile's keeper.

use tokio::sync::oneshot;

use super::super::keeper::Command;
use super::Handle;
use crate::instant::BootInstant;

impl Handle {
    /// Whether the credential, as of the last read, belongs to this client and was enrolled for this origin.
    pub fn is_of_client(&self, origin: &str, client_id: &str) -> bool {
        let enrolled = self.enrolled.get();
        enrolled.is_some_and(|it| it.client_id == client_id && it.origin.as_deref() == Some(origin))
    }

    /// Tells the keeper that the issuer gave the client another token at this moment. The store is read first: the
    /// token may be the proof of a new secret, and the old secret must not be sent any more. This is no reason to run a
    /// command again.
    pub async fn superseded(&self, at: BootInstant) {
        self.reread(false).await;
        let (done, heard) = oneshot::channel();
        let told = Command::Superseded { at, done };
        // A keeper that has ended holds no token.
        if self.commands.send(told).await.is_ok() {
            let _: Result<_, _> = heard.await;
        }
    }
}
