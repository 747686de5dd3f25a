//! One call to the issuer, as part of an attempt.

use std::sync::Arc;
use std::time::Duration;

use super::bulkhead::Compartment;
use super::waiters::WaitCounts;
use crate::clock::Clock;
use crate::command_line;
use crate::credential::Credential;
use crate::fault::{Fault, FaultKind};
use crate::instant::BootInstant;
use crate::lifecycle::credentials::CallEnd;
use crate::profile::ProfileName;
use crate::provider::Provider;
use crate::schedule;
use crate::token::Validity;

/// A call that takes longer than this marks the issuer as slow, and resets the issuer's concurrency limit.
const SLOW: Duration = Duration::from_secs(2);

/// One call to the issuer.
pub(super) struct Call {
    /// The profile, whose name the provider does not know.
    pub(super) profile: ProfileName,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) compartment: Compartment,
    pub(super) waiters: Arc<WaitCounts>,
    pub(super) credential: Arc<Credential>,
    /// Validity of the held token.
    pub(super) held: Option<Validity>,
    /// Earliest moment for the call.
    pub(super) not_before: BootInstant,
}

// === impl Call ===

impl Call {
    /// Makes the call once it has a permit. The wait for the permit has no limit: an attempt that gave up its turn
    /// would start again at the end of the queue, and the issuer would look as if it had failed.
    pub(super) async fn make(self) -> CallEnd {
        let clock = &self.clock;
        if clock.now().boot < self.not_before {
            clock.sleep_until(self.not_before).await;
        }
        let held_until = self.held.as_ref().map(|held| held.expires);
        let permit = self
            .compartment
            .enter(clock, held_until, &self.waiters)
            .await;
        let now = clock.now().boot;
        let limit = schedule::attempt_limit(now, self.held.as_ref());
        let request = async {
            let mut answer = self.provider.fetch_shared(&self.credential);
            match tokio::time::timeout(SLOW, &mut answer).await {
                Ok(answer) => answer,
                Err(_) => {
                    permit.slow();
                    answer.await
                }
            }
        };
        let result = within(limit, request).await;
        permit.end(result.is_ok());
        match result {
            Ok(granted) => CallEnd::Granted {
                sent: now,
                grant: granted.grant,
                date: granted.server_date,
            },
            Err(mut fault) => {
                fault.resolve_retry_at(clock.now().unix.since_epoch());
                let detail = command_line::proposed(&fault.detail, Some(&self.profile));
                fault.detail = detail.into_owned();
                let sent = Some(now);
                CallEnd::Failed { sent, fault }
            }
        }
    }
}

/// Cancels a request that exceeds `limit`, because it would use up the time of the next one. The provider has a
/// deadline of its own as well.
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
