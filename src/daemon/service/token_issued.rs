//! Tokens that an issuer gave to a profile's client without this daemon.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::Service;
use crate::daemon::keep::handle::Handle;
use crate::wire::token_issued::{TokenIssued, TokenIssuedReply};

/// Number of stores that are read at the same time, so that many profiles of one client need no more threads than a
/// few.
const AT_A_TIME: usize = 8;

impl Service {
    /// Handles the news that an issuer gave this client a token, which may have invalidated earlier ones. Every profile
    /// of the client replaces its held token. Call it only for a caller at the admin socket.
    pub async fn token_issued(&self, issued: &TokenIssued) -> TokenIssuedReply {
        let at = self.clock.now().boot.before(issued.ago());
        let all = self.roster.all();
        let handles = all.values().map(|entry| &entry.handle);
        let of_client = handles.filter(|it| it.is_of_client(&issued.origin, &issued.client_id));
        let of_client: Vec<Arc<Handle>> = of_client.cloned().collect();
        let mut telling = JoinSet::new();
        for handle in &of_client {
            if telling.len() == AT_A_TIME {
                // These tasks are never aborted and do not panic.
                let _ = telling.join_next().await;
            }
            let handle = Arc::clone(handle);
            telling.spawn(async move { handle.superseded(at).await });
        }
        while telling.join_next().await.is_some() {}
        let names = of_client.iter().map(|handle| handle.name().to_string());
        TokenIssuedReply {
            profiles: names.collect(),
        }
    }
}
