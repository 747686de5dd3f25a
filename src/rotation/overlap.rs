//! State machine of a rotation with overlap: the old key works until the new one is proven and in force.
//!
//! The table shows the next states for each state and outcome. After a kill and after a write with an unknown
//! outcome, the machine goes on with [`State::Settling`] and [`State::Reading`]; then the record decides.
//!
//! | State | Outcome → next state |
//! |---|---|
//! | Checking | 403 → Ended; listed → Noting; lost → Ended |
//! | Clearing | 403 → Noting; deleted → Creating or Noting; lost → Pausing |
//! | Closing | not noted → Pausing; noted → Ended |
//! | Creating | 403 → Noting; 409 → Pausing; created → Storing; lost → Pausing; not sent → Pausing; refused → Noting |
//! | Deleting | 403 → Guarding or Lasting; deleted → Guarding or Lasting; lost → Pausing |
//! | Finding | 403 → Pausing; listed → Clearing or Creating or Noting; lost → Pausing |
//! | Finishing | not stored → Pausing; stored → Closing; unknown → Settling |
//! | Guarding | record → Sweeping; unreadable → Pausing |
//! | Lasting | woken → Guarding or Lasting |
//! | Looking | 403 → Pausing; listed → Noting; lost → Pausing |
//! | Noting | not noted → Closing or Pausing; noted → Creating or Noting or Proving or Reading or Resting |
//! | Pausing | woken → Clearing or Closing or Creating or Deleting or Finding or Finishing or Guarding or Looking or Noting or Proving or Reading or Removing or Restoring or Storing or Sweeping or Switching |
//! | Proving | lost → Pausing; proved → Noting or Switching; rejected → Pausing |
//! | Reading | record → Deleting or Finding or Lasting or Looking or Noting or Pausing or Proving or Resting or Restoring; unreadable → Pausing |
//! | Removing | 403 → Sweeping; deleted → Sweeping; lost → Pausing |
//! | Resting | woken → Looking or Resting |
//! | Restoring | not stored → Pausing; stored → Lasting; unknown → Settling |
//! | Settling | settled → Reading |
//! | Storing | not stored → Noting or Pausing; stored → Noting; unknown → Settling |
//! | Sweeping | 403 → Pausing; listed → Closing or Finishing or Removing; lost → Pausing |
//! | Switching | not stored → Pausing; stored → Noting; unknown → Settling |

use std::collections::BTreeSet;
use std::time::Duration;

use super::command::{Change, Command, End};
use super::event::{Event, Rights};
use super::grace::{GraceMoment, Terms};
use super::notes::{Notes, Phase, Reason};
use super::pause::{WaitReason, proof_wait};
use super::preflight::{RotationRequest, StartRefusal};
use super::record::{KeyRef, RotationId};
use crate::instant::BootInstant;

mod faults;
mod state;
mod walk;

pub use state::State;

/// How often the rotation tries to create and to store a key before it is undone.
const TRIES: u8 = 5;

/// A rotation with overlap.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Overlap {
    terms: Terms,
    /// The boot clock, and the issuer's clock if it is known.
    clock: GraceMoment,
    notes: Notes,
    /// The created key whose secret the executor still holds, until it is known to be in the record.
    made: Option<KeyRef>,
    /// When a call that creates a key last ended, or when this process began.
    last_create: BootInstant,
    /// Whether the answer to such a call was lost, or may have been in an earlier process.
    was_create_lost: bool,
    /// How often the current step was tried.
    tries: u8,
    /// The number of faults in a row, which only determines the length of a pause.
    faults: u8,
    finish: bool,
    is_old_kept: bool,
    /// Whether the latest list lacked the new key.
    is_new_missed: bool,
    refusal: Option<StartRefusal>,
    /// The names of the keys that the issuer refused to delete.
    left: BTreeSet<String>,
    state: State,
}

// === impl Overlap ===

impl Overlap {
    /// Begins a rotation. `clock` is the present moment.
    pub fn new(
        rotation: RotationId,
        wanted: RotationRequest,
        terms: Terms,
        clock: GraceMoment,
    ) -> Self {
        let notes = Notes {
            rotation,
            name: wanted.name.clone(),
            old: KeyRef {
                client_id: wanted.client_id.clone(),
                id: None,
                name: None,
            },
            new: None,
            phase: Phase::Creating,
            grace: None,
        };
        Self::at(State::Checking(Box::new(wanted)), notes, terms, clock)
    }

    /// Resumes a rotation of an earlier process. `notes` are from its journal, or from [`Notes::of_record`] if the
    /// journal is missing. The caller makes no machine from an unreadable or newer journal, and tells the user
    /// instead (`needs_human`).
    pub fn resume(notes: Notes, terms: Terms, clock: GraceMoment) -> Self {
        let mut machine = Self::at(State::Settling, notes, terms, clock);
        machine.was_create_lost = true;
        machine
    }

    fn at(state: State, notes: Notes, terms: Terms, clock: GraceMoment) -> Self {
        Self {
            last_create: clock.at,
            was_create_lost: false,
            terms,
            clock,
            notes,
            made: None,
            tries: 0,
            faults: 0,
            finish: false,
            is_old_kept: false,
            is_new_missed: false,
            refusal: None,
            left: BTreeSet::new(),
            state,
        }
    }

    /// Returns the content of the journal, as it is or is about to be written.
    pub const fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Sets the lifetime of the profile's tokens, if it was unknown before.
    pub const fn learn_lifetime(&mut self, lifetime: Duration) {
        if self.terms.lifetime.is_none() {
            self.terms.lifetime = Some(lifetime);
        }
    }

    /// Takes what the configuration says now: how long the old key stays if the issuer does not show last logins, and
    /// whether another machine uses the key.
    pub const fn take_terms(&mut self, grace: Duration, is_shared: bool) {
        self.terms.grace = grace;
        self.terms.is_shared = is_shared;
    }

    /// Returns whether the lifetime of the profile's tokens is known.
    pub const fn knows_lifetime(&self) -> bool {
        self.terms.lifetime.is_some()
    }

    /// Returns the names of the keys that the issuer refused to delete.
    pub const fn left(&self) -> &BTreeSet<String> {
        &self.left
    }

    /// Returns the current state.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Returns the executor's next action.
    pub fn command(&self) -> Command {
        let id = || self.notes.rotation.clone();
        let old = || self.notes.old.clone();
        match &self.state {
            State::Checking(_) | State::Finding | State::Looking | State::Sweeping(_) => {
                Command::List
            }
            State::Noting => Command::Note(Box::new(self.notes.clone())),
            State::Creating => Command::Create(self.notes.name.clone()),
            State::Clearing(key) | State::Removing(key, _) => Command::Delete(key.clone()),
            State::Storing(next) => Command::Store(Change::PutNext {
                rotation: id(),
                current: old(),
                next: next.clone(),
            }),
            State::Proving(key) => Command::Prove(key.clone()),
            State::Switching => Command::Store(Change::Switch(id())),
            State::Deleting => Command::Delete(old()),
            State::Restoring => Command::Store(Change::Restore(id(), old())),
            State::Finishing => Command::Store(Change::Finish(id())),
            State::Closing => Command::RemoveNotes,
            State::Settling => Command::Settle,
            State::Reading | State::Guarding => Command::Read,
            State::Resting(pause) | State::Lasting(pause) | State::Pausing(pause, _) => {
                Command::Pause(*pause)
            }
            State::Ended(end) => Command::End(end.clone()),
        }
    }

    /// Takes the outcome of the last command. Ignores an event that does not belong to that command.
    pub fn step(&mut self, now: BootInstant, event: Event) {
        self.clock = self.clock.at(now);
        self.finish |= event == Event::Finish;
        let is_wake = matches!(event, Event::Woken | Event::Finish);
        let state = std::mem::replace(&mut self.state, State::Reading);
        self.state = self.next(state, event);
        self.faults = match &self.state {
            _ if is_wake => self.faults,
            State::Pausing(..) => self.faults.saturating_add(1),
            _ => 0,
        };
    }

    fn next(&mut self, state: State, event: Event) -> State {
        match event {
            Event::Stored(written) if state.stores() => self.stored(state, written),
            Event::Lost | Event::NotSent if state.repeats() => {
                self.pause(WaitReason::Issuer, state)
            }
            Event::Refused(why) => self.refused(state, why),
            Event::NotNoted => self.not_noted(state),
            _ => self.succeeded(state, event),
        }
    }

    fn succeeded(&mut self, state: State, event: Event) -> State {
        match (state, event) {
            (State::Checking(wanted), Event::Listed(list)) => self.checked(&wanted, &list),
            (State::Checking(_), Event::Lost | Event::NotSent) => {
                State::Ended(End::Refused(StartRefusal::NoList))
            }
            (State::Noting, Event::Noted) => self.noted(),
            (State::Creating, Event::Created(key)) => {
                self.last_create = self.clock.at;
                self.tries = 0;
                self.made = Some(key.clone());
                State::Storing(key)
            }
            (State::Creating, Event::NotSent) => self.pause(WaitReason::Issuer, State::Creating),
            (State::Creating, Event::Lost) => {
                self.last_create = self.clock.at;
                self.was_create_lost = true;
                self.pause(WaitReason::Issuer, State::Finding)
            }
            (State::Finding, Event::Listed(list)) => self.found(&list),
            (State::Clearing(_), Event::Deleted) => self.create_again(),
            (State::Proving(_), Event::Proved { rights, date }) => {
                self.clock.date = date.or(self.clock.date);
                match rights {
                    Rights::Kept | Rights::Unknown => State::Switching,
                    Rights::Fewer => self.undo(Reason::FewerRights),
                }
            }
            (State::Proving(key), Event::Rejected) => {
                self.tries += 1;
                match proof_wait(self.tries) {
                    Some(wait) => self.pause_for(wait, WaitReason::Replicas, State::Proving(key)),
                    None => self.undo(Reason::NewKeyRejected),
                }
            }
            (State::Settling, Event::Settled) => State::Reading,
            (State::Reading, Event::Record(record)) => self.resumed(&record),
            (State::Guarding, Event::Record(record)) => State::Sweeping(Box::new(record)),
            (state @ (State::Reading | State::Guarding), Event::Unreadable) => {
                self.pause(WaitReason::Store, state)
            }
            (State::Looking, Event::Listed(list)) => self.looked(&list),
            (State::Deleting, Event::Deleted) => self.sweep(),
            (State::Sweeping(record), Event::Listed(list)) => self.swept(record, &list),
            (State::Removing(_, record), Event::Deleted) => State::Sweeping(record),
            (State::Closing, Event::Noted) => State::Ended(self.end()),
            (State::Pausing(_, after), Event::Woken) => {
                self.delay_grace(&after);
                *after
            }
            (State::Resting(_), Event::Woken | Event::Finish) => self.judge(),
            (State::Lasting(_), Event::Woken) => self.sweep(),
            (state, _) => state,
        }
    }
}

#[cfg(test)]
mod search;
#[cfg(test)]
mod tests;
