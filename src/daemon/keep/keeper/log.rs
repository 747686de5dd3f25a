//! Log of a keeper: one line for each change of state.

use tracing::{debug, info, warn};

use super::Keeper;
use crate::fault::Block;
use crate::lifecycle::credentials::NotLoaded;
use crate::lifecycle::{OutageReport, Reporter, View};
use crate::schedule::Reissue;
use crate::wire;

impl Keeper {
    /// Logs one line for each change of state.
    pub(super) fn log(&mut self, before: &View) {
        let after = self.lifecycle.view();
        let now = self.parts.clock.now().boot;
        let held_for = after
            .valid(now)
            .map(|held| held.validity.remaining(now).as_secs());
        let next_in = after.next_attempt.map(|at| at.since(now).as_secs());
        // A token that is granted with a lifetime of zero counts as a success and as a failure.
        let has_failed = after.failures > before.failures;
        let has_token = after.refreshes > before.refreshes && !has_failed;
        if has_token && after.generation == before.generation {
            debug!(held_for, next_in, "the same token again");
            let news = after.repeated && !self.logged.repeated;
            if news && self.parts.policy.reissue != Reissue::SameUntilExpiry {
                self.logged.repeated = true;
                info!("the issuer gives the same token until it expires: no new one before that");
            }
        } else if has_token {
            let recovered = before.failing > 0 || before.block.is_some();
            info!(
                generation = after.generation,
                held_for, next_in, recovered, "new token"
            );
        } else if let (true, Some(last)) = (has_failed, &after.last_fault) {
            let fault = &last.fault;
            if before.failing == 0 || before.rejected != after.rejected {
                warn!(
                    kind = fault.kind.as_str(),
                    detail = fault.detail,
                    rejected = after.rejected,
                    held_for,
                    next_in,
                    "refresh failed"
                );
            } else {
                debug!(
                    kind = fault.kind.as_str(),
                    detail = fault.detail,
                    held_for,
                    next_in,
                    "refresh failed again"
                );
            }
        } else if let Some(block) = &after.block
            && before.block != after.block
        {
            warn!(detail = %block, held_for, "no token can be requested");
        }
    }

    /// Logs one line for each token that is reported for the first time, and one when a later report causes its refresh
    /// after a cool-down.
    pub(super) fn log_report(&self, before: &View, reporter: Reporter) {
        let after = self.lifecycle.view();
        let is_first = after.reports > before.reports;
        let is_answered = before.cooling_until.is_some() && after.cooling_until.is_none();
        if !is_first && !is_answered {
            return;
        }
        let now = self.parts.clock.now().boot;
        let (generation, user) = (after.generation, reporter.uid());
        match self.lifecycle.cooling_of(reporter) {
            Some(until) if now < until => warn!(
                generation,
                user,
                cooling_for = until.since(now).as_secs(),
                "fresh tokens keep being reported as rejected: the service that rejects them is at fault"
            ),
            _ => info!(
                generation,
                user, "the token was reported as rejected: getting a newer one"
            ),
        }
    }

    /// Logs one line when the issuer grants a narrower scope than the profile asks for, and one when it grants the
    /// whole scope again.
    pub(super) fn log_scope(&mut self) {
        let Some(held) = self.lifecycle.view().held else {
            return;
        };
        let scope = held.scope.as_ref().filter(|scope| scope.is_narrower());
        let missing = scope.map(|scope| scope.missing.clone());
        if missing == self.logged.missing_scope {
            return;
        }
        match scope {
            Some(scope) => warn!(
                granted = &*scope.granted,
                missing = &*scope.missing,
                "the issuer granted a narrower scope than the configuration asks for"
            ),
            None => info!("the issuer grants the scope that the configuration asks for again"),
        }
        self.logged.missing_scope = missing;
    }

    /// Logs one line when the issuer's clock and this machine's clock differ by more than the limit.
    pub(super) fn log_skew(&mut self) {
        let now = self.parts.clock.now();
        let Some(secs) = wire::clock_skew(&self.lifecycle.view(), now) else {
            return;
        };
        let far = secs.unsigned_abs() > wire::SKEW_LIMIT.as_secs();
        if far && !self.logged.skew {
            warn!(
                secs,
                "the issuer's clock is far ahead of this machine's (behind it, if negative): the validity of certificates and all times shown depend on it"
            );
        }
        self.logged.skew = far;
    }

    /// Logs one line when the issuer rejects the stored credential. The line says which credential is in use instead.
    pub(super) fn log_former(&mut self) {
        let rejected = self.credentials.rejected_successor();
        if let (Some(last), false) = (rejected, self.logged.former) {
            let detail = &last.fault.detail;
            if self.credentials.uses_other() {
                warn!(
                    detail,
                    "the issuer rejects the stored credential; the other key of its rotation is in use"
                );
            } else {
                warn!(
                    detail,
                    "the issuer rejects the stored credential; the former one stays in use"
                );
            }
        }
        self.logged.former = rejected.is_some();
    }

    /// Logs one line when the credential cannot be read or the reason changes, and one when it can be read again. A
    /// profile without a credential `in_use` is logged elsewhere.
    pub(super) fn log_unusable(&mut self, why: Option<&NotLoaded>, in_use: bool) {
        let Some(why) = why else {
            if self.logged.unusable.take().is_some() {
                info!("the credential can be read again");
            }
            return;
        };
        let detail = why.detail();
        if in_use && self.logged.unusable.as_deref() != Some(&*detail) {
            warn!(
                %detail,
                "the credential cannot be read; the one read before stays in use"
            );
            self.logged.unusable = Some(detail.into());
        }
    }

    /// Logs one line when the held token has expired without a replacement, further lines while that lasts, and one
    /// when it is over. The last one is a warning as well, so that a log of warnings only also shows the end of the
    /// outage.
    pub(super) fn log_outage(&mut self) {
        let (now, view) = (self.now(), self.lifecycle.view());
        let Some(report) = self.logged.outage.look(now, &view) else {
            return;
        };
        let (kind, detail) = match (&view.block, &view.last_fault) {
            (Some(block), _) if **block == Block::Locked => ("locked", block.to_string()),
            (Some(block), _) => ("misconfigured", block.to_string()),
            (None, Some(last)) => (last.fault.kind.as_str(), last.fault.detail.clone()),
            (None, None) => ("rejected", String::new()),
        };
        let next_in = view.next_attempt.map(|at| at.since(now).as_secs());
        let (failing_for, what) = match report {
            OutageReport::Expired { failing_for } => (
                failing_for,
                "the token has expired and could not be replaced: callers fail",
            ),
            OutageReport::Lasts { failing_for } => {
                (failing_for, "callers still fail: no attempt brings a token")
            }
            OutageReport::Over { failed_for } => {
                warn!(
                    generation = view.generation,
                    failed_for = failed_for.as_secs(),
                    "callers get tokens again"
                );
                return;
            }
        };
        let failing_for = failing_for.as_secs();
        warn!(kind, detail, failing_for, next_in, "{what}");
    }

    /// Logs one line when the profile begins to rest, and one when a token is requested again. Call it before the new
    /// view is published: it compares that view with the lifecycle.
    pub(super) fn log_rest(&self) {
        let (before, after) = (self.view.borrow().resting, self.lifecycle.view().resting);
        if after && !before {
            info!("no request for two lifetimes: no refresh until the next request");
        } else if before && !after {
            info!("no longer resting");
        }
    }
}
