//! One call to the issuer, as part of an attempt.

use std::sync::Arc;
use std::time::Duration;

use super::bulkhead::Compartment;
use crate::clock::Clock;
use crate::credential::Credential;
use crate::fault::{Fault, FaultKind};
use crate::instant::BootInstant;
use crate::lifecycle::credentials::CallEnd;
use crate::provider::Provider;

/// Makes one call with this credential, not before `not_before` and only with a permit. From `not_before` on, the wait
/// for the permit and the call together may take `limit`.
pub(super) async fn call(
    provider: Arc<dyn Provider>,
    clock: Arc<dyn Clock>,
    compartment: Compartment,
    credential: Arc<Credential>,
    not_before: BootInstant,
    limit: Option<Duration>,
) -> CallEnd {
    if clock.now().boot < not_before {
        clock.sleep_until(not_before).await;
    }
    let mut sent = None;
    let request = async {
        let _permit = compartment.enter().await;
        let now = clock.now().boot;
        sent = Some(now);
        let granted = provider.fetch_shared(&credential).await?;
        Ok((now, granted))
    };
    match within(limit, request).await {
        Ok((sent, granted)) => CallEnd::Granted {
            sent,
            grant: granted.grant,
            date: granted.server_date,
        },
        Err(fault) => CallEnd::Failed { sent, fault },
    }
}

/// Cancels a call that exceeds `limit` and so would use up the time of the next one. The provider also has a deadline
/// of its own.
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
