//! One attempt: the credential, the request, and a second look into the store when the issuer rejects the credential.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::bulkhead::Compartment;
use crate::clock::Clock;
use crate::credential::Credential;
use crate::fault::{Block, Fault, FaultKind};
use crate::instant::{BootInstant, UnixTime};
use crate::provider::Provider;
use crate::store::source::{CredentialSource, NotLoaded};
use crate::token::Grant;

/// How an attempt ended.
pub(super) enum End {
    /// With a token.
    Granted {
        credential: Arc<Credential>,
        sent: BootInstant,
        grant: Grant,
        date: Option<UnixTime>,
    },
    /// With a fault.
    Failed {
        credential: Arc<Credential>,
        fault: Fault,
    },
    /// Before anything was sent.
    NotLoaded(NotLoaded),
}

impl End {
    /// The end of an attempt whose task is gone.
    pub(super) fn lost() -> Self {
        Self::NotLoaded(NotLoaded::lost("the attempt was lost"))
    }
}

/// Makes one attempt with the credential given, else with the one in the store, when there is a place for it; each
/// request of it may take `limit`, its wait for the place included. What it asks with is shown by `aboard`.
pub(super) async fn fly(
    source: Arc<dyn CredentialSource>,
    provider: Arc<dyn Provider>,
    clock: Arc<dyn Clock>,
    compartment: Compartment,
    credential: Option<Arc<Credential>>,
    aboard: watch::Sender<Option<Arc<Credential>>>,
    limit: Option<Duration>,
) -> End {
    let mut credential = match credential {
        Some(credential) => credential,
        None => match source.load().await {
            Ok(credential) => credential,
            Err(why) => return End::NotLoaded(why),
        },
    };
    let mut rejected_before = false;
    loop {
        aboard.send_replace(Some(Arc::clone(&credential)));
        let request = async {
            let _berth = compartment.enter().await;
            let sent = clock.now().boot;
            let granted = provider.fetch(&credential).await?;
            Ok((sent, granted))
        };
        let fault = match within(limit, request).await {
            Ok((sent, granted)) => {
                return End::Granted {
                    credential,
                    sent,
                    grant: granted.grant,
                    date: granted.server_date,
                };
            }
            Err(fault) => fault,
        };
        // The secret may have been replaced behind our back: if the store has another, that one is tried at once.
        if fault.kind.is_permanent() && !rejected_before {
            rejected_before = true;
            if let Ok(stored) = source.load().await
                && *stored != *credential
            {
                credential = stored;
                continue;
            }
        }
        if fault.kind == FaultKind::BindingChanged {
            return End::NotLoaded(NotLoaded::Blocked(Block::BindingChanged {
                detail: fault.detail,
            }));
        }
        return End::Failed { credential, fault };
    }
}

/// Ends an attempt that would use up the time of the next one. The provider has a deadline of its own.
async fn within<T>(
    limit: Option<Duration>,
    request: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let Some(limit) = limit else {
        return request.await;
    };
    tokio::time::timeout(limit, request)
        .await
        .unwrap_or_else(|_| {
            let left = limit.as_secs_f64();
            let detail = format!("no answer within {left:.1} s, after which the next try is due");
            Err(Fault::new(FaultKind::Timeout, detail))
        })
}
