//! Effects of the end of an attempt: a token that was granted, or a failure.

use std::sync::Arc;
use std::time::Duration;

use super::pace::FailedAttempt;
use super::{Activity, Effect, GENERATION_END, HeldToken, LastFault, Lifecycle};
use crate::fault::{Fault, FaultKind};
use crate::instant::BootInstant;
use crate::schedule::{self, Jitter, RejectionCount};
use crate::token::{DEFAULT_LIFETIME, Grant, LastAnswer, MAX_LIFETIME, Validity};

/// Detail for a token that expired in transit; storing it would replace a token that is still valid.
const DEAD_ON_ARRIVAL: &str =
    "the token had expired when the answer came: the answer took long, or the token is an old one";

/// Detail for a token with a stated lifetime of zero. The token may work for longer, so it is served for a moment. The
/// next attempts follow the back-off of failures, because the issuer will state the same for the next token.
const OF_NO_TIME: &str = "the issuer states a lifetime of 0 s, and the token does not show its expiry; if you know the lifetime, set it in the profile, for example: lifetime = \"1h\"";

/// Detail for a repeated token that has expired according to its own content.
const ENDED: &str = "the issuer gave the same token again, which has expired by its own claims; does something in front of the issuer cache old answers?";

impl Lifecycle {
    /// Handles an attempt that brought a token.
    pub(super) fn fetched(
        &mut self,
        now: BootInstant,
        jitter: Jitter,
        sent: BootInstant,
        grant: Grant,
    ) -> Effect {
        // Even if the token has expired, the issuer accepted the credential.
        self.rejections = RejectionCount::NONE;
        let is_held = self
            .held
            .as_ref()
            .is_some_and(|held| held.token == grant.token);
        // An issuer that repeats a token until its expiry also repeats it in the last second.
        let is_dead = grant.is_ending() || !Validity::new(sent, grant.lifetime).holds(now);
        if !is_held && is_dead {
            return self.failed(now, jitter, Fault::new(FaultKind::Timeout, DEAD_ON_ARRIVAL));
        }
        self.refreshes += 1;
        self.block = None;
        self.has_zero_lifetime = grant.has_zero_lifetime();
        let same = self.held.take_if(|held| held.token == grant.token);
        let validity = match same {
            Some(held) => self.again(held.validity, sent, &grant),
            None => {
                self.generation = (self.generation + 1).min(GENERATION_END - 1);
                self.reports.replaced();
                self.assumed = grant.lifetime.is_none();
                self.token_expiry = grant.shown.map(|left| sent.after(left));
                self.repeated = false;
                Validity::new(sent, grant.lifetime)
            }
        };
        self.held = Some(Arc::new(HeldToken {
            token: grant.token,
            validity,
            generation: self.generation,
            scope: grant.scope,
            last_answer: LastAnswer::default(),
        }));
        self.superseded.replaced(now, sent);
        if self.has_repeated_an_ended_token(now, &validity) {
            // Without requests, the attempts become ever rarer, as they did before the expiry.
            let due = schedule::same_token_due(now, &validity, jitter);
            let effect = self.failed(now, jitter, Fault::new(FaultKind::Malformed, ENDED));
            if let Activity::Waiting { due: backed_off } = &mut self.activity {
                *backed_off = due.max(*backed_off);
            }
            return effect;
        }
        if self.has_zero_lifetime {
            // Make no last attempt before the expiry: with such a short lifetime, that would be a fast loop.
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

    /// Returns the validity of the held token after the issuer has repeated it.
    fn again(&mut self, held: Validity, sent: BootInstant, grant: &Grant) -> Validity {
        let stated = match grant.lifetime {
            Some(lifetime) if grant.stated => Some(lifetime),
            // An assumed lifetime is assumed again when the issuer repeats the token.
            None if self.assumed => Some(DEFAULT_LIFETIME),
            // The lifetime in the token itself counts from its issue and is already known. The rest of it counts only
            // if it was cut to the maximum.
            _ => {
                let is_cut = held.lifetime == MAX_LIFETIME;
                let token_expiry = self.token_expiry.filter(|_| is_cut);
                token_expiry.map(|end| end.since(sent))
            }
        };
        // Without a date in the answer, the expiry that is computed from the token is too late by the age of the token.
        let shown_ends = self.token_expiry.into_iter();
        self.token_expiry = shown_ends
            .chain(grant.shown.map(|left| sent.after(left)))
            .min();
        let most = self.token_expiry.map(|end| end.since(sent));
        let stated = stated.map(|stated| most.map_or(stated, |most| most.min(stated)));
        let (mut validity, extended) =
            stated.map_or((held, false), |lifetime| held.again(sent, lifetime));
        if let (Some(end), Some(most)) = (self.token_expiry, most) {
            let expires = Validity::new(sent, Some(most)).expires;
            validity.expires = validity.expires.min(expires).min(end);
        }
        self.assumed &= !grant.stated;
        self.repeated = !extended;
        validity
    }

    /// Whether the issuer has repeated the held token even after the token's real expiry, which is without our reserve.
    /// Before that moment, repeating the token is the issuer's normal behaviour. After it, callers have no valid token,
    /// and their requests must not cause attempts as frequent as after a success.
    fn has_repeated_an_ended_token(&self, now: BootInstant, validity: &Validity) -> bool {
        /// Issuers state times in whole seconds.
        const SECOND: Duration = Duration::from_secs(1);
        let is_over = self
            .token_expiry
            .is_some_and(|end| end.after(SECOND) <= now);
        is_over && !validity.holds(now) && self.repeated && !self.has_zero_lifetime
    }

    /// Handles a failed attempt.
    pub(super) fn failed(&mut self, now: BootInstant, jitter: Jitter, fault: Fault) -> Effect {
        let held = self.valid(now).copied();
        self.failed_while(now, held, jitter, fault)
    }

    /// Handles a failed attempt while a token of this validity is held.
    fn failed_while(
        &mut self,
        now: BootInstant,
        held: Option<Validity>,
        jitter: Jitter,
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
            // A retry is due after a rejection. While the issuer cannot be reached, the back-off delays it.
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
