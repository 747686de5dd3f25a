//! View of a profile for the rest of the daemon: its held token and its state.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::AttemptLimits;
use crate::fault::{Block, Fault};
use crate::instant::{BootInstant, RemoteClock};
use crate::token::{AccessToken, LastAnswer, Scope, Validity};

/// A held token. Callers share it.
#[derive(Debug)]
pub struct HeldToken {
    /// The token.
    pub token: AccessToken,
    /// The time in which the token is valid.
    pub validity: Validity,
    /// The token's number. Each new token of a profile has a larger one.
    pub generation: u64,
    /// The token's scope, if the issuer granted a different one than requested.
    pub scope: Option<Scope>,
    /// The last complete answer that contained the token.
    pub last_answer: LastAnswer,
}

/// The state of a profile, as shown to users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// The first token is being fetched.
    Starting,
    /// A valid token is held and the last attempt succeeded.
    Fresh,
    /// The last attempt failed. A valid token may still be held.
    Retrying,
    /// The issuer rejected the credential repeatedly, so the circuit breaker is open.
    Rejected,
    /// The held token has expired.
    Expired,
    /// No caller asks for a token. The next request fetches one.
    Resting,
    /// Something on this machine has to be put right first.
    Misconfigured,
    /// The credential is encrypted, and the store is locked.
    Locked,
}

/// The last fault of a profile.
#[derive(Debug, Clone)]
pub struct LastFault {
    /// The fault's kind and texts.
    pub fault: Fault,
    /// When the fault occurred.
    pub at: BootInstant,
}

/// A snapshot of a profile for the rest of the daemon.
#[derive(Debug, Clone)]
pub struct View {
    /// The held token, valid or expired. Check its validity at the moment of use.
    pub held: Option<Arc<HeldToken>>,
    /// Whether the held token had expired when this view was published. A new view is published at the expiry, for
    /// watchers.
    pub lapsed: bool,
    /// The generation of the last token. Before the first token, it is the number from which generations count up.
    pub generation: u64,
    /// Whether an attempt runs.
    pub attempting: bool,
    /// Whether the next attempt waits for a request, because no caller has asked for a token for a while.
    pub resting: bool,
    /// Whether the issuer repeated the held token without extending it. There will be no new token before it expires.
    pub repeated: bool,
    /// When the next attempt is due, unless one runs or the profile rests.
    pub next_attempt: Option<BootInstant>,
    /// Whether the circuit breaker is open.
    pub rejected: bool,
    /// Whether the held token was reported as rejected.
    pub reported: bool,
    /// Until when reports of the held token cause no refresh, because fresh tokens keep being rejected. It is the
    /// moment for the user that has to wait longest, and may have passed.
    pub cooling_until: Option<BootInstant>,
    /// The limits on the profile's attempts. A keeper that replaces the current one adopts them.
    pub pace: AttemptLimits,
    /// Number of tokens that were reported as rejected.
    pub reports: u64,
    /// How often the wall clock was set. Each time, previously shown times become wrong.
    pub clock_steps: u64,
    /// How often the store was locked since the profile started. Each lock also removes the files with the token.
    pub locks: u64,
    /// The issuer's clock according to its last answer. No decision depends on it.
    pub issuer_clock: Option<RemoteClock>,
    /// Why no call can be made, if that is so.
    pub block: Option<Arc<Block>>,
    /// The last fault. It is kept after a success.
    pub last_fault: Option<Arc<LastFault>>,
    /// Why the issuer rejects the stored credential, while the former one stays in use.
    pub rejected_successor: Option<Arc<LastFault>>,
    /// Why the stored credential cannot be used, while the one that was read before it stays in use.
    pub unusable: Option<Arc<str>>,
    /// How many attempts brought a token.
    pub refreshes: u64,
    /// Number of attempts that failed.
    pub failures: u64,
    /// Number of failures since the last success.
    pub failing: u32,
}

// === impl View ===

impl View {
    /// Returns the held token if it is valid at `now`.
    pub fn valid(&self, now: BootInstant) -> Option<&Arc<HeldToken>> {
        self.held.as_ref().filter(|held| held.validity.holds(now))
    }

    /// Returns the end of the cool-down, if reports cause no refresh at `now`.
    pub fn cooling(&self, now: BootInstant) -> Option<BootInstant> {
        self.cooling_until.filter(|until| now < *until)
    }

    /// Whether the credential is the reason that a caller gets no token: the circuit breaker is open, or the issuer
    /// rejected the credential in the last attempt.
    pub fn is_refused(&self) -> bool {
        let last = self.last_fault.as_ref().filter(|_| self.failing > 0);
        self.rejected || last.is_some_and(|last| last.fault.is_of_credential())
    }

    /// Whether both views are equal. Shared parts are compared by pointer, because each is created once.
    pub fn is(&self, other: &Self) -> bool {
        fn same<T: ?Sized>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
            match (a, b) {
                (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                (None, None) => true,
                _ => false,
            }
        }
        let plain = |view: &Self| {
            (
                (view.lapsed, view.clock_steps, view.issuer_clock),
                (
                    view.generation,
                    view.attempting,
                    view.resting,
                    view.repeated,
                ),
                (view.next_attempt, view.rejected, view.failing),
                (view.reported, view.cooling_until, view.reports, view.pace),
                (view.refreshes, view.failures, view.locks),
            )
        };
        plain(self) == plain(other)
            && same(self.held.as_ref(), other.held.as_ref())
            && same(self.block.as_ref(), other.block.as_ref())
            && same(self.last_fault.as_ref(), other.last_fault.as_ref())
            && same(
                self.rejected_successor.as_ref(),
                other.rejected_successor.as_ref(),
            )
            && same(self.unusable.as_ref(), other.unusable.as_ref())
    }

    /// Returns when a newer token is expected: at the next attempt, unless that will probably not bring one.
    pub fn next_refresh(&self) -> Option<BootInstant> {
        let is_doubtful =
            self.failing > 0 || self.rejected || self.block.is_some() || self.repeated;
        self.next_attempt.filter(|_| !is_doubtful)
    }

    /// Whether a caller that asks at `now` can rely on a token: a valid one is held, or the profile rests.
    pub fn ready(&self, now: BootInstant) -> bool {
        self.valid(now).is_some() || self.phase(now) == Phase::Resting
    }

    /// Returns why no valid token is held at `now`, in words: what blocks the profile, its last fault, or that it
    /// rests. Returns `None` before the end of the first attempt.
    pub fn trouble(&self, now: BootInstant) -> Option<String> {
        let fault = self.last_fault.as_ref().filter(|_| self.failing > 0);
        match (&self.block, fault) {
            _ if self.valid(now).is_some() => None,
            (Some(block), _) => Some(block.to_string()),
            (None, Some(last)) => Some(last.fault.detail.clone()),
            (None, None) if self.resting => Some("it rests until a token is asked for".to_owned()),
            (None, None) => None,
        }
    }

    /// Returns the state to show at `now`. A problem that a user has to fix is shown even while the profile rests.
    pub fn phase(&self, now: BootInstant) -> Phase {
        match (&self.held, self.valid(now)) {
            _ if self.block.as_deref() == Some(&Block::Locked) => Phase::Locked,
            _ if self.block.is_some() => Phase::Misconfigured,
            _ if self.rejected => Phase::Rejected,
            _ if self.resting => Phase::Resting,
            (_, Some(_)) if self.failing == 0 => Phase::Fresh,
            (_, Some(_)) => Phase::Retrying,
            (Some(_), None) => Phase::Expired,
            (None, None) if self.failing == 0 => Phase::Starting,
            (None, None) => Phase::Retrying,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::lifecycle::{Lifecycle, Policy};

    #[test]
    fn the_next_refresh_is_shown_only_if_the_next_attempt_may_bring_a_token() {
        let due = BootInstant::from_boot(Duration::from_secs(1_800));
        let healthy = View {
            next_attempt: Some(due),
            ..Lifecycle::new(due, 0, Policy::default()).view()
        };
        assert_eq!(healthy.next_refresh(), Some(due));
        let but = |change: fn(&mut View)| {
            let mut view = healthy.clone();
            change(&mut view);
            view.next_refresh()
        };
        assert_eq!(but(|view| view.next_attempt = None), None, "it rests");
        assert_eq!(but(|view| view.failing = 1), None, "an outage");
        assert_eq!(but(|view| view.rejected = true), None);
        assert_eq!(but(|view| view.repeated = true), None);
        assert_eq!(
            but(|view| {
                let detail = "the record is damaged".to_owned();
                view.block = Some(Arc::new(Block::Unusable { detail }));
            }),
            None
        );
    }
}
