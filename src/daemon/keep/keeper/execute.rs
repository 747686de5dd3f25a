//! Executes the decisions of the state machines.

use std::sync::Arc;

use tracing::{Instrument, debug};

use super::super::attempt::Call;
use super::Keeper;
use super::waits::{Running, RunningStep};
use crate::fault::{Fault, FaultKind};
use crate::instant::BootInstant;
use crate::lifecycle::Effect;
use crate::lifecycle::credentials::{CallEnd, Decision};
use crate::store::source::{Loaded, LoadedCredential};

impl Keeper {
    /// Executes a decision and those that follow from it, until the keeper has to wait.
    pub(super) fn execute(&mut self, mut decision: Decision) {
        loop {
            decision = match decision {
                Decision::Wait => return,
                Decision::Recheck => {
                    self.recheck(false);
                    return;
                }
                Decision::Load { attempt } => {
                    self.work = Some(RunningStep::Load(attempt, self.load_for(attempt)));
                    return;
                }
                Decision::Call {
                    attempt,
                    credential,
                    not_before,
                } => {
                    let mut loaded = self.loaded.iter();
                    let Some(found) = loaded.find(|loaded| loaded.id == credential) else {
                        // The state machine asks only for credentials that it still needs. If one is missing anyway,
                        // the attempt must still end.
                        let fault = Fault::new(FaultKind::Connect, "the credential was lost");
                        let end = CallEnd::Failed { sent: None, fault };
                        decision = self.credentials.answered(self.now(), attempt, end);
                        continue;
                    };
                    self.work = Some(RunningStep::Call(
                        attempt,
                        self.call(attempt, found, not_before),
                    ));
                    return;
                }
                Decision::Pass(event) => {
                    let (now, before) = (self.now(), self.lifecycle.view());
                    let effect = self.lifecycle.step(now, (self.parts.jitter)(), event);
                    self.log(&before);
                    self.log_skew();
                    self.log_scope();
                    match effect {
                        Effect::None => return,
                        Effect::Stop => {
                            self.work = None;
                            self.credentials.stop(now);
                            return;
                        }
                        Effect::Fetch { attempt } => {
                            debug!(attempt, "attempt starts");
                            let held = before.held.as_ref().map(|held| held.validity);
                            self.credentials.hold(held);
                            self.credentials.begin(now, attempt)
                        }
                    }
                }
            };
        }
    }

    /// Reads the store outside the attempt, unless such a read is running. `runs` says whether this is a reason to run
    /// a command again.
    pub(super) fn recheck(&mut self, runs: bool) {
        // A running read is not restarted: requests may come faster than a keyring answers, and would never let a read
        // finish.
        if self.recheck.is_none() {
            self.recheck = Some(self.load(runs));
        }
    }

    /// Reads the store for the attempt. A command runs again only if the issuer has just rejected the credential of the
    /// last read.
    fn load_for(&self, attempt: u64) -> Running<Loaded> {
        self.load(self.credentials.is_rejected_in(attempt))
    }

    fn load(&self, runs: bool) -> Running<Loaded> {
        let source = Arc::clone(&self.parts.source);
        Running::start(async move {
            match runs {
                true => source.load().await,
                false => source.load_for_attempt().await,
            }
        })
    }

    /// Starts a call in a task of its own, so that a caller that goes away cancels nothing and a slow issuer does not
    /// block the keeper.
    fn call(
        &self,
        attempt: u64,
        found: &LoadedCredential,
        not_before: BootInstant,
    ) -> Running<CallEnd> {
        debug!(attempt, "call starts");
        let held = self.lifecycle.view().held;
        let call = Call {
            profile: self.parts.name.clone(),
            provider: Arc::clone(&self.parts.provider),
            clock: Arc::clone(&self.parts.clock),
            compartment: self.parts.compartment.clone(),
            waiters: Arc::clone(&self.waiters),
            credential: Arc::clone(&found.credential),
            held: held.map(|held| held.validity),
            not_before,
        };
        Running::start(call.make().in_current_span())
    }
}
