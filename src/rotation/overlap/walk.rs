//! The decisions of a rotation with overlap: chooses the next state.

use super::super::command::End;
use super::super::event::Listing;
use super::super::grace::{Grace, Verdict};
use super::super::notes::{Phase, Reason, RecordRelation};
use super::super::pause::{LATE_CALLS, LIST_LAG, Pause, WaitReason, retry_wait};
use super::super::preflight::{self, RotationRequest};
use super::super::record::{KeyRef, RecordView};
use super::{Overlap, State, TRIES};

impl Overlap {
    pub(super) fn checked(&mut self, wanted: &RotationRequest, list: &Listing) -> State {
        self.clock.date = list.date.or(self.clock.date);
        match preflight::check(wanted, list) {
            Ok(own) => {
                self.notes.old = own.to_ref();
                State::Noting
            }
            Err(refusal) => State::Ended(End::Refused(refusal)),
        }
    }

    /// Continues from the journal and the record, after a restart and after each write with an unknown outcome. The
    /// record decides; the phase says what the issuer may have executed.
    pub(super) fn resumed(&mut self, record: &RecordView) -> State {
        match (self.notes.phase, self.notes.relation(record)) {
            (Phase::Creating, RecordRelation::Next(new)) => self.prove(new),
            // An earlier write was executed late and put the old key back in force.
            (Phase::Grace | Phase::Deleting, RecordRelation::Next(new)) => self.prove(new),
            (Phase::Proving, RecordRelation::Next(new)) => State::Proving(new),
            (Phase::Creating, RecordRelation::Old) => match self.made.clone() {
                Some(key) => self.store_again(key),
                None => State::Finding,
            },
            (Phase::Undoing(_), RecordRelation::Next(_)) => State::Restoring,
            (Phase::Undoing(Reason::NewKeyGone), RecordRelation::Switched(_)) => State::Restoring,
            (Phase::Undoing(_), RecordRelation::Old | RecordRelation::Foreign) => self.sweep(),
            (Phase::Grace, RecordRelation::Switched(_)) => self.judge(),
            (Phase::Deleting, RecordRelation::Switched(_)) => State::Deleting,
            (_, RecordRelation::Switched(new)) => self.switched(new),
            (_, RecordRelation::Old | RecordRelation::Foreign) => self.undo(Reason::RecordChanged),
        }
    }

    /// Begins the phase that the journal names, after the journal is written.
    pub(super) fn noted(&mut self) -> State {
        match (self.notes.phase, &self.notes.new) {
            (Phase::Creating, _) => State::Creating,
            (Phase::Proving, Some(new)) => State::Proving(new.clone()),
            (Phase::Grace, _) => self.judge(),
            (Phase::Proving | Phase::Undoing(_) | Phase::Deleting, _) => State::Reading,
        }
    }

    pub(super) fn note(&mut self, phase: Phase) -> State {
        self.notes.phase = phase;
        self.tries = 0;
        State::Noting
    }

    pub(super) fn undo(&mut self, reason: Reason) -> State {
        self.note(Phase::Undoing(reason))
    }

    pub(super) fn prove(&mut self, new: KeyRef) -> State {
        self.made = None;
        self.notes.new = Some(new);
        self.notes.grace = None;
        self.note(Phase::Proving)
    }

    pub(super) fn store_again(&mut self, key: KeyRef) -> State {
        self.tries += 1;
        if self.tries >= TRIES {
            return self.undo(Reason::NotStored);
        }
        self.pause(WaitReason::Store, State::Storing(key))
    }

    pub(super) fn switched(&mut self, new: KeyRef) -> State {
        self.notes.new = Some(new);
        self.notes.grace = Some(Grace::new(self.clock.clone(), self.terms.lifetime));
        self.note(Phase::Grace)
    }

    /// Restarts the grace period when the journal of the switch is written: until then, tokens may come from the old
    /// key.
    pub(super) fn delay_grace(&mut self, after: &State) {
        let is_new = |grace: &Grace| grace.looks.is_none();
        if *after == State::Noting && self.notes.grace.as_ref().is_some_and(is_new) {
            self.notes.grace = Some(Grace::new(self.clock.clone(), self.terms.lifetime));
        }
    }

    /// Handles the list after a call that may have created a key whose secret is lost.
    pub(super) fn found(&mut self, list: &Listing) -> State {
        match list.named(&self.notes.name, &self.notes.old.client_id) {
            Some(key) => State::Clearing(key.to_ref()),
            None => self.create_again(),
        }
    }

    /// Creates the key again, under the same name: if the issuer executes the lost call later, it refuses one of the
    /// two.
    pub(super) fn create_again(&mut self) -> State {
        self.tries += 1;
        if self.tries >= TRIES {
            return self.undo(Reason::NotCreated);
        }
        State::Creating
    }

    pub(super) fn judge(&mut self) -> State {
        let clock = self.clock.clone();
        let lifetime = self.terms.lifetime;
        let grace = &mut self.notes.grace;
        let grace = grace.get_or_insert_with(|| Grace::new(clock, lifetime));
        match grace.judge(&self.clock, &self.terms, self.finish) {
            Verdict::Wait(wait, why) => State::Resting(Pause {
                until: self.clock.at.after(wait),
                why,
            }),
            Verdict::Look => State::Looking,
            Verdict::Delete => self.note(Phase::Deleting),
            Verdict::Keep => {
                self.is_old_kept = true;
                self.sweep()
            }
        }
    }

    pub(super) fn looked(&mut self, list: &Listing) -> State {
        self.clock.date = list.date.or(self.clock.date);
        let new = self.notes.new.as_ref();
        let has_new = new.is_some_and(|new| list.by_client(&new.client_id).is_some());
        let was_missed = std::mem::replace(&mut self.is_new_missed, !has_new);
        if !has_new && !was_missed {
            return self.pause_for(LIST_LAG, WaitReason::Missed, State::Looking);
        }
        let old = list.by_client(&self.notes.old.client_id);
        match (has_new, old) {
            (true, Some(old)) => {
                let clock = self.clock.clone();
                let lifetime = self.terms.lifetime;
                let grace = &mut self.notes.grace;
                let grace = grace.get_or_insert_with(|| Grace::new(clock.clone(), lifetime));
                let logins: Vec<_> = list.keys.iter().filter_map(|key| key.last_login).collect();
                grace.look(clock, old.last_login, &logins);
                State::Noting
            }
            (true, None) => self.note(Phase::Deleting),
            (false, Some(_)) => self.undo(Reason::NewKeyGone),
            (false, None) => State::Ended(End::NeedsHuman),
        }
    }

    /// Begins to remove leftovers at the issuer, when it can no longer execute a lost call that creates a key.
    pub(super) fn sweep(&self) -> State {
        let until = self.last_create.after(LATE_CALLS);
        // No answer was lost, and the key in force has the name of every call, so the issuer refuses a second key.
        let is_in_force = matches!(self.notes.phase, Phase::Grace | Phase::Deleting);
        if self.clock.at >= until || (is_in_force && !self.was_create_lost) {
            return State::Guarding;
        }
        let why = WaitReason::LateCalls;
        State::Lasting(Pause { until, why })
    }

    /// Deletes one key at a time, and reads the list again after each.
    pub(super) fn swept(&mut self, record: Box<RecordView>, list: &Listing) -> State {
        // A key that is gone from the list is not left over, whatever the answer to its deletion was.
        self.left.retain(|label| {
            let mut keys = list.keys.iter();
            keys.any(|key| key.name == *label || key.client_id == *label)
        });
        let named = list.keys.iter().find(|key| {
            key.name == self.notes.name
                && !record.needs(&key.client_id)
                && !self.left.contains(&key.name)
        });
        if let Some(key) = named {
            return State::Removing(key.to_ref(), record);
        }
        match record.rotation.as_ref() == Some(&self.notes.rotation) {
            true => State::Finishing,
            false => State::Closing,
        }
    }

    pub(super) fn end(&self) -> End {
        let left = self.left.iter().cloned().collect();
        match (&self.refusal, self.notes.phase) {
            (Some(refusal), _) => End::Refused(refusal.clone()),
            (None, Phase::Undoing(reason)) => End::Undone { reason, left },
            (None, _) => End::Rotated {
                is_old_kept: self.is_old_kept,
                left,
            },
        }
    }

    pub(super) fn pause(&self, why: WaitReason, after: State) -> State {
        self.pause_for(retry_wait(self.faults), why, after)
    }

    pub(super) fn pause_for(
        &self,
        wait: std::time::Duration,
        why: WaitReason,
        after: State,
    ) -> State {
        let until = self.clock.at.after(wait);
        State::Pausing(Pause { until, why }, Box::new(after))
    }
}
