//! Which credential the calls of a profile carry, as a state machine without I/O: it takes what was read, sent and
//! answered, and returns a [`Decision`].
//!
//! It stands beside the [`Lifecycle`](super::Lifecycle). That one says when an attempt is made; this one says what the
//! attempt does, and what its end means for the lifecycle. It knows credentials by their ids alone.
//!
//! An attempt is at most two calls, and a third where the key is being rotated. It begins with a read of the store unless the stored credential is known and good.
//! When the issuer rejects the credential, the store is read again: it may have been replaced unnoticed, and then the
//! new one is sent at once. It is not if the rejection states a wait: that holds for every credential, so the attempt
//! ends, and the next one reads the store.
//!
//! These invariants hold, each a property test:
//! (a) a rejected credential is not sent again before its probe is due, whatever asks for an attempt; a probe that would come
//! after the end of the held token is due before it;
//! (b) a call carries what the store held when it was last read, so that a new credential is used at the next need, but
//! for (e);
//! (c) a read of the store never breaks off an attempt that carries the credential which was found, or that reads the store
//! itself;
//! (d) no three calls begin within one second: the third is put off, and not dropped;
//! (e) while the issuer rejects the stored credential, calls carry the former one, which it accepted last and has not
//! rejected since; the stored one is tried again when its probe is due, and the state says that it is rejected;
//! (f) a client ID that changed without its secret, where the two are kept in two places, is used no earlier than after
//! 5 s, in which the secret may change, too;
//! (g) while the key of the record is being rotated, an attempt does not count as rejected before the issuer has rejected
//! the other key of the record, too.

use std::time::Duration;

use super::Event;
use crate::credential::CredentialId;
use crate::fault::{Fault, FaultKind};
use crate::instant::BootInstant;
use crate::token::Validity;

mod call;
mod carried;
mod decision;
mod failed;
mod former;
mod half;
mod in_use;
mod lock;
mod recheck;
mod rejections;
mod whole;

pub use decision::{CallEnd, Decision, Found, NotLoaded, Read};
use former::Former;
use half::Half;
use rejections::Rejections;

/// No three calls begin within this time: every reason for a call has a limit of its own, and this one bounds their
/// sum.
const WINDOW: Duration = Duration::from_secs(1);

/// The credentials of one profile.
#[derive(Debug, Default)]
pub struct Credentials {
    /// What the store held when it was last read with success.
    stored: Option<CredentialId>,
    /// The other key of that record, while its key is being rotated.
    other: Option<CredentialId>,
    /// Why the last attempt could not use what is stored.
    obstacle: Option<Obstacle>,
    step: Step,
    rejections: Rejections,
    /// What the issuer accepted last.
    former: Former,
    /// What may be half a change of the stored credential.
    half: Half,
    /// The validity of the token that is held while the attempt runs.
    held: Option<Validity>,
    /// When the last two calls began, the older one first.
    calls: [Option<BootInstant>; 2],
}

/// What keeps an attempt from a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    /// The store could not be read.
    Passing,
    /// Something has to be put right first.
    Blocked,
}

/// The current step of the attempt.
#[derive(Debug, Default)]
enum Step {
    /// No attempt runs.
    #[default]
    Idle,
    /// It reads the store before its first call.
    Loading { attempt: u64 },
    /// It calls the issuer.
    Calling {
        attempt: u64,
        credential: CredentialId,
        not_before: BootInstant,
        is_second: bool,
    },
    /// The issuer rejected its credential with this fault; it reads the store for another one.
    Reloading {
        attempt: u64,
        credential: CredentialId,
        fault: Fault,
    },
}

// === impl Credentials ===

impl Credentials {
    /// What the store held when it was last read with success.
    pub const fn stored(&self) -> Option<CredentialId> {
        self.stored
    }

    /// Whether the profile waits for something on this machine to be put right, and no call runs.
    pub fn is_blocked(&self) -> bool {
        self.obstacle == Some(Obstacle::Blocked) && self.carried().is_none()
    }

    /// Takes note of the validity of the token that is held while the next attempt runs: before its end, a rejected
    /// credential is sent once more.
    pub const fn hold(&mut self, held: Option<Validity>) {
        self.held = held;
    }

    /// Begins this attempt of the lifecycle, in place of any other that runs.
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

    /// Takes the result of a read of the store for this attempt.
    pub fn loaded(&mut self, now: BootInstant, attempt: u64, read: Read) -> Decision {
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
                // A failed read does not change which credential the store held last, nor does half a change.
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

    /// Takes the end of a call of this attempt.
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
                Decision::Tell(Event::Fetched {
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

    fn found(&mut self, now: BootInstant, attempt: u64, found: Found) -> Decision {
        let Found { credential, other } = found;
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
