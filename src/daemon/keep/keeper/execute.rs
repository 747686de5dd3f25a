//! Executes what the machines decide.

use std::sync::Arc;

use tracing::{Instrument, debug};

use super::super::attempt;
use super::Keeper;
use super::waits::{Running, Work};
use crate::fault::{Fault, FaultKind};
use crate::instant::BootInstant;
use crate::lifecycle::Effect;
use crate::lifecycle::credentials::{CallEnd, Decision};
use crate::schedule;
use crate::store::source::{Loaded, LoadedCredential};

impl Keeper {
    /// Executes a decision, and those that follow from it, until there is something to wait for.
    pub(super) fn execute(&mut self, mut decision: Decision) {
        loop {
            decision = match decision {
                Decision::Wait => return,
                Decision::Recheck => {
                    // Beginning again would starve it: requests may come faster than a keyring answers.
                    if self.recheck.is_none() {
                        self.recheck = Some(self.load());
                    }
                    return;
                }
                Decision::Load { attempt } => {
                    self.work = Some(Work::Load(attempt, self.load()));
                    return;
                }
                Decision::Call {
                    attempt,
                    credential,
                    not_before,
                } => {
                    let found = self.found.as_ref();
                    let Some(found) = found.filter(|found| found.id == credential) else {
                        // The machine asks only for the credential that was loaded last. The attempt must end in any
                        // case.
                        let fault = Fault::new(FaultKind::Connect, "the credential was lost");
                        let end = CallEnd::Failed { sent: None, fault };
                        decision = self.credentials.answered(self.now(), attempt, end);
                        continue;
                    };
                    self.work = Some(Work::Call(attempt, self.call(attempt, found, not_before)));
                    return;
                }
                Decision::Tell(event) => {
                    let (now, before) = (self.now(), self.lifecycle.view());
                    let effect = self.lifecycle.step(now, (self.parts.jitter)(), event);
                    self.log(&before);
                    self.log_skew();
                    let Effect::Fetch { attempt } = effect else {
                        return;
                    };
                    debug!(attempt, "attempt starts");
                    self.credentials.begin(now, attempt)
                }
            };
        }
    }

    fn load(&self) -> Running<Loaded> {
        let source = Arc::clone(&self.parts.source);
        Running::start(async move { source.load().await })
    }

    /// Starts a call in a task of its own: a caller that goes away cancels nothing, and a slow issuer does not hold up
    /// this task.
    fn call(
        &self,
        attempt: u64,
        found: &LoadedCredential,
        not_before: BootInstant,
    ) -> Running<CallEnd> {
        let view = self.lifecycle.view();
        let held = view.held.as_ref().map(|held| &held.validity);
        let limit = schedule::attempt_limit(self.now().max(not_before), held);
        debug!(attempt, ?limit, "call starts");
        let call = attempt::call(
            Arc::clone(&self.parts.provider),
            Arc::clone(&self.parts.clock),
            self.parts.compartment.clone(),
            Arc::clone(&found.credential),
            not_before,
            limit,
        );
        Running::start(call.in_current_span())
    }
}
