//! The next state after a write to the store, a refusal of the issuer, or a failure of the disk.

use super::super::command::End;
use super::super::event::{Refused, Written};
use super::super::notes::{Phase, Reason};
use super::super::pause::Why;
use super::super::preflight::Refusal;
use super::{Overlap, State};

impl Overlap {
    pub(super) fn stored(&mut self, state: State, written: Written) -> State {
        match (state, written) {
            (State::Storing(new), Written::Done) => self.prove(new),
            (State::Storing(new), Written::Failed) => self.store_again(new),
            (State::Restoring, Written::Done) => self.sweep(),
            (State::Finishing, Written::Done) => State::Closing,
            (State::Switching, Written::Done) => match self.notes.new.clone() {
                Some(new) => self.switched(new),
                None => State::Reading,
            },
            (state, Written::Failed) => self.pause(Why::Store, state),
            (_, Written::Conflict) => self.pause(Why::Store, State::Reading),
            (_, Written::Unknown) => State::Settling,
            (state, Written::Done) => state,
        }
    }

    pub(super) fn refused(&mut self, state: State, why: Refused) -> State {
        match (state, why) {
            (State::Checking(_), Refused::Forbidden) => {
                State::Ended(End::Refused(Refusal::MayNotManage))
            }
            (State::Checking(_), _) => State::Ended(End::Refused(Refusal::NoList)),
            (State::Creating, Refused::NameTaken) => {
                self.last_create = self.clock.at;
                self.was_create_lost = true;
                self.pause(Why::Issuer, State::Finding)
            }
            // The bearer may get a valid token or its rights back.
            (state, Refused::Unauthorized) if state.repeats() || state == State::Creating => {
                self.pause(Why::Issuer, state)
            }
            (State::Creating, Refused::Forbidden) => self.undo(Reason::MayNotCreate),
            (State::Creating | State::Clearing(_), _) => self.undo(Reason::NotCreated),
            (State::Deleting, _) => {
                self.left.insert(self.notes.old.label().to_owned());
                self.sweep()
            }
            (State::Removing(key, record), _) => {
                self.left.insert(key.label().to_owned());
                State::Sweeping(record)
            }
            (state, _) if state.repeats() => self.pause(Why::Issuer, state),
            (state, _) => state,
        }
    }

    pub(super) fn not_noted(&mut self, state: State) -> State {
        match state {
            State::Noting if self.notes.phase == Phase::Creating => {
                self.refusal = Some(Refusal::NoJournal);
                State::Closing
            }
            State::Noting | State::Closing => self.pause(Why::Journal, state),
            _ => state,
        }
    }
}
