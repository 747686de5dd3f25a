//! What the end of an attempt changes: a token that was granted, or a failure.

use std::sync::Arc;
use std::time::Duration;

use super::pace::FailedAttempt;
use super::{Activity, Effect, GENERATION_END, Held, LastFault, Lifecycle};
use crate::fault::{Fault, FaultKind};
use crate::instant::BootInstant;
use crate::schedule::{self, RejectionCount, Unit};
use crate::token::{DEFAULT_LIFETIME, Grant, LastAnswer, MAX_LIFETIME, Validity};

/// Detail for a token that expired in transit; storing it would replace a token that is still valid.
const DEAD_ON_ARRIVAL: &str =
    "the token had expired when the answer came: the answer took long, or the token is an old one";

/// Detail for a token whose issuer states a lifetime of zero. It may hold for longer, so it is served for a moment; the
/// next attempts keep the pace of failures, since the issuer will state the same of the next token.
const OF_NO_TIME: &str = "the issuer states that its token holds for 0 s, and the token does not show its end; if you know for how long it holds, set it in the profile, for example: lifetime = \"1h\"";

/// Detail for the held token that is given again when it has ended by what it shows itself.
const ENDED: &str = "the issuer gave the same token again, which has ended by what the token shows itself; does something in front of the issuer keep old answers?";

impl Lifecycle {
    /// Handles an attempt that brought a token.
    pub(super) fn fetched(
        &mut self,
        now: BootInstant,
        jitter: Unit,
        sent: BootInstant,
        grant: Grant,
    ) -> Effect {
        // Even if the token has expired, the issuer accepted the credential.
        self.rejections = RejectionCount::NONE;
        let is_held = self
            .held
            .as_ref()
            .is_some_and(|held| held.token == grant.token);
        // An issuer that gives the same token until it ends gives it in its last second, too.
        let is_dead = grant.is_ending() || !Validity::new(sent, grant.lifetime).holds(now);
        if !is_held && is_dead {
            return self.failed(now, jitter, Fault::new(FaultKind::Timeout, DEAD_ON_ARRIVAL));
        }
        self.refreshes += 1;
        self.block = None;
        self.is_of_no_time = grant.is_of_no_time();
        let same = self.held.take_if(|held| held.token == grant.token);
        let validity = match same {
            Some(held) => self.again(held.validity, sent, &grant),
            None => {
                self.generation = (self.generation + 1).min(GENERATION_END - 1);
                self.reports.replaced();
                self.assumed = grant.lifetime.is_none();
                self.shown_end = grant.shown.map(|left| sent.after(left));
                self.repeated = false;
                Validity::new(sent, grant.lifetime)
            }
        };
        self.held = Some(Arc::new(Held {
            token: grant.token,
            validity,
            generation: self.generation,
            scope: grant.scope,
            last_answer: LastAnswer::default(),
        }));
        self.superseded.replaced(now, sent);
        if self.has_repeated_an_ended_token(now, &validity) {
            // Unasked it goes on ever more rarely, as before the end.
            let due = schedule::same_token_due(now, &validity, jitter);
            let effect = self.failed(now, jitter, Fault::new(FaultKind::Malformed, ENDED));
            if let Activity::Waiting { due: backed_off } = &mut self.activity {
                *backed_off = due.max(*backed_off);
            }
            return effect;
        }
        if self.is_of_no_time {
            // There is no last call before its end: that would be as fast a loop as its lifetime is short.
            let fault = Fault::new(FaultKind::Malformed, OF_NO_TIME);
            return self.failed_while(now, None, jitter, fault);
        }
        self.failing = 0;
        self.pace.succeeded();
        let due = if self.repeated {
            schedule::same_token_due(now, &validity, jitter)
        } else {
            schedule::due(now, &validity, self.policy.reissue, jitter)
        };
        self.activity = Activity::Waiting { due };
        self.replace_superseded(now)
    }

    /// The validity of the held token after the issuer has repeated it.
    fn again(&mut self, held: Validity, sent: BootInstant, grant: &Grant) -> Validity {
        let stated = match grant.lifetime {
            Some(lifetime) if grant.stated => Some(lifetime),
            // An assumed lifetime is assumed again when the issuer repeats the token.
            None if self.assumed => Some(DEFAULT_LIFETIME),
            // What the token shows itself counts from its issue, and is known already; but of a longer one only its first
            // day was taken up.
            _ => {
                let is_cut = held.lifetime == MAX_LIFETIME;
                let shown_end = self.shown_end.filter(|_| is_cut);
                shown_end.map(|end| end.since(sent))
            }
        };
        // What an answer without a date says of the token's end is late by the age of the token.
        let shown_ends = self.shown_end.into_iter();
        self.shown_end = shown_ends
            .chain(grant.shown.map(|left| sent.after(left)))
            .min();
        let most = self.shown_end.map(|end| end.since(sent));
        let stated = stated.map(|stated| most.map_or(stated, |most| most.min(stated)));
        let (mut validity, extended) =
            stated.map_or((held, false), |lifetime| held.again(sent, lifetime));
        if let (Some(end), Some(most)) = (self.shown_end, most) {
            let expires = Validity::new(sent, Some(most)).expires;
            validity.expires = validity.expires.min(expires).min(end);
        }
        self.assumed &= !grant.stated;
        self.repeated = !extended;
        validity
    }

    /// Whether the held token, which the issuer gave again, has ended even without our reserve. Until then an issuer that
    /// gives the same token does what it always does; afterwards callers have none, and may not make it asked at the
    /// pace of successes.
    fn has_repeated_an_ended_token(&self, now: BootInstant, validity: &Validity) -> bool {
        /// Issuers tell their time in whole seconds.
        const SECOND: Duration = Duration::from_secs(1);
        let is_over = self.shown_end.is_some_and(|end| end.after(SECOND) <= now);
        is_over && !validity.holds(now) && self.repeated && !self.is_of_no_time
    }

    /// Handles an attempt that failed.
    pub(super) fn failed(&mut self, now: BootInstant, jitter: Unit, fault: Fault) -> Effect {
        let held = self.valid(now).copied();
        self.failed_while(now, held, jitter, fault)
    }

    /// The same while a token of this validity is held.
    fn failed_while(
        &mut self,
        now: BootInstant,
        held: Option<Validity>,
        jitter: Unit,
        fault: Fault,
    ) -> Effect {
        let is_permanent = fault.kind.is_permanent();
        let attempt = FailedAttempt {
            began: self.last_attempt.unwrap_or(now),
            retry_after: fault.retry_after,
            is_absent: fault.kind == FaultKind::NoEndpoint,
        };
        self.pace.failed(now, &attempt, jitter);
        let stated = self.pace.stated_until();
        let held = held.as_ref();
        let backed_off = schedule::retry_due(now, self.failing, held, stated, jitter);
        let backed_off = match self.pace.absent_since() {
            Some(since) => schedule::absence_due(now, since, backed_off, held),
            None => backed_off,
        };
        let probe = schedule::probe_due_holding(now, self.rejections, held);
        let due = if self.rejections.is_none() {
            backed_off
        } else if !self.rejections.has_opened_breaker() && !is_permanent {
            // After a rejection a retry is due; while the issuer cannot be reached, the back-off delays it.
            probe.max(backed_off)
        } else {
            probe
        };
        self.failing = self.failing.saturating_add(1);
        self.failures += 1;
        self.block = None;
        self.last_fault = Some(Arc::new(LastFault { fault, at: now }));
        self.wait_until(due.max(self.allowed(now)))
    }
}
