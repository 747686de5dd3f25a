//! What others see of a profile: what is held, and how it stands.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::fault::{Block, Fault};
use crate::instant::{BootInstant, RemoteClock};
use crate::token::{AccessToken, LastAnswer, Validity};

/// A token that is held, as callers share it.
#[derive(Debug)]
pub struct Held {
    /// The token.
    pub token: AccessToken,
    /// From when to when it holds.
    pub validity: Validity,
    /// Its number; each new token of a profile has a larger one.
    pub generation: u64,
    /// The last answer that showed it in full.
    pub last_answer: LastAnswer,
}

/// What a person sees of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// The first token is being fetched.
    Starting,
    /// A valid token is held and the last attempt succeeded.
    Fresh,
    /// The last attempt failed; a valid token may still be held.
    Retrying,
    /// The issuer rejected the credential again and again: the breaker is open.
    Rejected,
    /// The token held has expired.
    Expired,
    /// Nobody asks for it; it is fetched when somebody does.
    Resting,
    /// Something on this machine has to be put right first.
    Misconfigured,
}

/// The last fault of a profile.
#[derive(Debug, Clone)]
pub struct LastFault {
    /// Its kind and texts.
    pub fault: Fault,
    /// When it was seen.
    pub at: BootInstant,
}

/// What others see of a profile at one moment; it changes as one.
#[derive(Debug, Clone)]
pub struct View {
    /// The token held, valid or not: judge it by its validity at the moment of use.
    pub held: Option<Arc<Held>>,
    /// Whether the token held had ended already when this was shown. It is shown anew at that moment, for those who watch.
    pub lapsed: bool,
    /// The generation of the last token, or where counting starts.
    pub generation: u64,
    /// Whether an attempt runs.
    pub attempting: bool,
    /// Whether nobody asks for it, so that the next attempt is made when somebody does.
    pub resting: bool,
    /// Whether the issuer gave the token held again, with no later end: there will be no new one before that.
    pub repeated: bool,
    /// When the next attempt is due, unless one runs or the profile rests.
    pub next_attempt: Option<BootInstant>,
    /// Whether the breaker is open.
    pub rejected: bool,
    /// Whether the token held was reported as rejected.
    pub reported: bool,
    /// Until when a report of the token held leads to no refresh, since fresh tokens keep being rejected; it may be over.
    pub cooling_until: Option<BootInstant>,
    /// How many tokens were reported as rejected.
    pub reports: u64,
    /// How often the wall clock was set: then times that were shown before are off.
    pub clock_steps: u64,
    /// The issuer's clock, as its last answer told. Nothing is decided by it.
    pub issuer_clock: Option<RemoteClock>,
    /// Why nothing can be asked, if so.
    pub block: Option<Arc<Block>>,
    /// The last fault; it stays after a success, as history.
    pub last_fault: Option<Arc<LastFault>>,
    /// How many attempts brought a token.
    pub refreshes: u64,
    /// How many attempts failed.
    pub failures: u64,
    /// Failures since the last success.
    pub failing: u32,
}

// === impl View ===

impl View {
    /// The token held if it is valid at `now`.
    pub fn valid(&self, now: BootInstant) -> Option<&Arc<Held>> {
        self.held.as_ref().filter(|held| held.validity.holds(now))
    }

    /// Until when reports are of no use at `now`, if they are not.
    pub fn cooling(&self, now: BootInstant) -> Option<BootInstant> {
        self.cooling_until.filter(|until| now < *until)
    }

    /// Whether the credential is what keeps a caller from a token: the breaker is open, or the issuer rejected the
    /// credential at the last attempt.
    pub fn is_refused(&self) -> bool {
        let last = self.last_fault.as_ref().filter(|_| self.failing > 0);
        self.rejected || last.is_some_and(|last| last.fault.is_of_credential())
    }

    /// Whether nobody could tell the two apart. The parts that are shared are not compared: each is made once.
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
                (view.reported, view.cooling_until, view.reports),
                (view.refreshes, view.failures),
            )
        };
        plain(self) == plain(other)
            && same(self.held.as_ref(), other.held.as_ref())
            && same(self.block.as_ref(), other.block.as_ref())
            && same(self.last_fault.as_ref(), other.last_fault.as_ref())
    }

    /// Whether whoever asks at `now` may count on a token: a valid one is held, or the profile rests.
    pub fn ready(&self, now: BootInstant) -> bool {
        self.valid(now).is_some() || self.phase(now) == Phase::Resting
    }

    /// What a person is told of the profile at `now`. What a person has to put right is told although it rests.
    pub fn phase(&self, now: BootInstant) -> Phase {
        match (&self.held, self.valid(now)) {
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
