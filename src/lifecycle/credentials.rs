//! Decides which credential the calls of a profile carry: a state machine without I/O. Its inputs are what was read,
//! sent and answered. Its output is a [`Decision`].
//!
//! The [`Lifecycle`](super::Lifecycle) decides when to make an attempt. This machine decides what the attempt does, and
//! what its result means for the lifecycle. It knows credentials only by their ids.
//!
//! An attempt makes at most two calls, or three while the key is being rotated. It begins with a read of the store,
//! unless the stored credential is known and good. When the issuer rejects the credential, the attempt reads the store
//! again. If the credential has been replaced unnoticed, the attempt sends the new one at once. But if the rejection
//! states a wait, the wait applies to every credential: the attempt ends, and the next one reads the store.
//!
//! These invariants hold, each checked by a property test:
//! - (a) A rejected credential is not sent again before its probe is due, whatever asks for an attempt. A probe that
//!   would come after the expiry of the held token is due before it.
//! - (b) A call carries what the store held when it was last read, so that a new credential is used at the next need.
//!   Invariant (e) is the exception.
//! - (c) A read of the store never cancels an attempt that carries the credential which was found, or that reads the
//!   store itself.
//! - (d) No three calls begin within one second. The third is delayed, not dropped.
//! - (e) While the issuer rejects the stored credential, calls carry the former one: the last one that the issuer
//!   accepted and has not rejected since. The stored one is tried again when its probe is due. The state says that it
//!   is rejected.
//! - (f) Where the client ID and the secret are kept in two places, a client ID that changed without its secret is used
//!   only after 5 s, in which the secret may change as well.
//! - (g) While the key of the record is being rotated, an attempt counts as rejected only after the issuer has rejected
//!   the record's other key as well.

use std::time::Duration;

use super::Event;
use crate::credential::CredentialId;
use crate::fault::{Fault, FaultKind};
use crate::instant::BootInstant;
use crate::token::Validity;

mod call;
mod carried;
mod complete_change;
mod decision;
mod failed;
mod former;
mod in_use;
mod lock;
mod partial_change;
mod recheck;
mod rejections;

pub use decision::{CallEnd, Decision, NotLoaded, StoreRead, StoredCredentials};
use former::FormerCredential;
use partial_change::PartialChange;
use rejections::Rejections;

/// No three calls begin within this time. Every reason for a call has a limit of its own, and this one bounds their
/// sum.
const WINDOW: Duration = Duration::from_secs(1);

/// The credentials of one profile.
#[derive(Debug, Default)]
pub struct Credentials {
    /// The credential that the last successful read of the store found.
    stored: Option<CredentialId>,
    /// The other key of that record, during a rotation.
    other: Option<CredentialId>,
    /// Why the last attempt could not use the stored credential.
    obstacle: Option<Obstacle>,
    step: Step,
    rejections: Rejections,
    /// The credential that the issuer accepted last.
    former: FormerCredential,
    /// A possible half of a change of the stored credential.
    half: PartialChange,
    /// Validity of the token that is held while the attempt runs.
    held: Option<Validity>,
    /// The times at which the last two calls began, the older one first.
    calls: [Option<BootInstant>; 2],
}

/// A reason why an attempt cannot make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    /// The store could not be read this time.
    Passing,
    /// Something on this machine has to be corrected first.
    Blocked,
}

/// The current step of the attempt.
#[derive(Debug, Default)]
enum Step {
    /// No attempt runs.
    #[default]
    Idle,
    /// Reading the store before the first call.
    Loading { attempt: u64 },
    /// Calling the issuer.
    Calling {
        attempt: u64,
        credential: CredentialId,
        not_before: BootInstant,
        is_second: bool,
    },
    /// Reading the store for another credential, because the issuer rejected this one with this fault.
    Reloading {
        attempt: u64,
        credential: CredentialId,
        fault: Fault,
    },
}

// === impl Credentials ===

impl Credentials {
    /// Returns the credential that the last successful read of the store found.
    pub const fn stored(&self) -> Option<CredentialId> {
        self.stored
    }

    /// Whether something on this machine has to be put right before the profile can make a call, and no call runs.
    pub fn is_blocked(&self) -> bool {
        self.obstacle == Some(Obstacle::Blocked) && self.carried().is_none()
    }

    /// Sets the validity of the token that is held while the next attempt runs. A rejected credential is sent once more
    /// before that token expires.
    pub const fn hold(&mut self, held: Option<Validity>) {
        self.held = held;
    }

    /// Begins this attempt of the lifecycle, replacing a running one.
    pub fn begin(&mut self, now: BootInstant, attempt: u64) -> Decision {
        self.stop(now);
        let usable = self
            .stored
            .filter(|stored| self.obstacle.is_none() && self.rejections.times(*stored).is_none());
        match usable {
            Some(credential) => self.call(now, attempt, credential, false),
            None => {
                self.step = Step::Loading { attempt };
                Decision::Load { attempt }
            }
        }
    }

    /// Handles the result of a read of the store for this attempt.
    pub fn loaded(&mut self, now: BootInstant, attempt: u64, read: StoreRead) -> Decision {
        match std::mem::take(&mut self.step) {
            Step::Loading { attempt: running } if running == attempt => match read {
                Ok(found) => self.found(now, attempt, found),
                Err(why) => match (self.former(), why) {
                    (Some(former), _) => self.call(now, attempt, former, false),
                    (None, NotLoaded::Blocked(block)) => self.blocked(attempt, block),
                    (None, NotLoaded::Failed(fault)) => {
                        self.obstacle = Some(Obstacle::Passing);
                        self.failed(now, attempt, self.stored, fault)
                    }
                },
            },
            Step::Reloading {
                attempt: running,
                credential,
                fault,
            } if running == attempt => {
                // Neither a failed read nor half a change affects which credential counts as stored.
                let read = read
                    .ok()
                    .filter(|found| self.waits_for_rest(now, found.credential).is_none());
                if let Some(found) = read {
                    (self.stored, self.other) = (Some(found.credential), found.other);
                }
                let replaced = self.stored.filter(|stored| {
                    *stored != credential && self.rejections.probe(now, *stored).is_none()
                });
                let former = || self.former().filter(|former| *former != credential);
                match replaced.or_else(former).or_else(|| self.other(now)) {
                    Some(next) => self.call(now, attempt, next, true),
                    None => self.failed(now, attempt, Some(credential), fault),
                }
            }
            step => {
                self.step = step;
                Decision::Wait
            }
        }
    }

    /// Handles the end of a call of this attempt.
    pub fn answered(&mut self, now: BootInstant, attempt: u64, end: CallEnd) -> Decision {
        let Step::Calling {
            attempt: running,
            credential,
            is_second,
            ..
        } = self.step
        else {
            return Decision::Wait;
        };
        if running != attempt {
            return Decision::Wait;
        }
        self.step = Step::Idle;
        match end {
            CallEnd::Granted { sent, grant, date } => {
                self.called(sent);
                self.rejections.remove(credential);
                self.former.accept(credential);
                Decision::Pass(Event::Fetched {
                    attempt,
                    sent,
                    grant,
                    date,
                })
            }
            CallEnd::Failed { sent, fault } => {
                if let Some(sent) = sent {
                    self.called(sent);
                }
                if fault.kind == FaultKind::Rejected {
                    let held = self.held.as_ref();
                    self.rejections
                        .add(now, credential, self.stored, &fault, held);
                    self.former.reject(credential, self.stored);
                    if let (Some(other), true, false) =
                        (self.other(now), is_second, fault.states_a_wait())
                    {
                        return self.call(now, attempt, other, true);
                    }
                }
                if fault.kind.is_permanent() && !is_second && !fault.states_a_wait() {
                    self.step = Step::Reloading {
                        attempt,
                        credential,
                        fault,
                    };
                    return Decision::Load { attempt };
                }
                self.failed(now, attempt, Some(credential), fault)
            }
        }
    }

    fn found(&mut self, now: BootInstant, attempt: u64, found: StoredCredentials) -> Decision {
        let StoredCredentials { credential, other } = found;
        if let (Some(until), Some(stored)) = (self.waits_for_rest(now, credential), self.stored) {
            return match self.former() {
                Some(former) => self.call(now, attempt, former, false),
                None => self.withheld(attempt, stored, until),
            };
        }
        (self.stored, self.other) = (Some(credential), other);
        self.obstacle = None;
        let probe = self.rejections.probe(now, credential);
        let is_its_turn = probe.is_some() || self.former.is_next();
        let in_its_place = self.former().or_else(|| self.other(now));
        match (in_its_place.filter(|_| is_its_turn), probe) {
            (Some(other), _) => self.call(now, attempt, other, false),
            (None, Some(until)) => self.withheld(attempt, credential, until),
            (None, None) => self.call(now, attempt, credential, false),
        }
    }
}

#[cfg(test)]
mod tests;
