//! The next state after a write to the store, a refusal of the issuer, or a failure of the disk.

use super::super::command::End;
use super::super::event::{CallRefusal, WriteOutcome};
use super::super::notes::{Phase, Reason};
use super::super::pause::WaitReason;
use super::super::preflight::StartRefusal;
use super::{Overlap, State};

impl Overlap {
    pub(super) fn stored(&mut self, state: State, written: WriteOutcome) -> State {
        match (state, written) {
            (State::Storing(new), WriteOutcome::Done) => self.prove(new),
            (State::Storing(new), WriteOutcome::Failed) => self.store_again(new),
            (State::Restoring, WriteOutcome::Done) => self.sweep(),
            (State::Finishing, WriteOutcome::Done) => State::Closing,
            (State::Switching, WriteOutcome::Done) => match self.notes.new.clone() {
                Some(new) => self.switched(new),
                None => State::Reading,
            },
            (state, WriteOutcome::Failed) => self.pause(WaitReason::Store, state),
            (_, WriteOutcome::Conflict) => self.pause(WaitReason::Store, State::Reading),
            (_, WriteOutcome::Unknown) => State::Settling,
            (state, WriteOutcome::Done) => state,
        }
    }

    pub(super) fn refused(&mut self, state: State, why: CallRefusal) -> State {
        match (state, why) {
            (State::Checking(_), CallRefusal::Forbidden) => {
                State::Ended(End::Refused(StartRefusal::MayNotManage))
            }
            (State::Checking(_), _) => State::Ended(End::Refused(StartRefusal::NoList)),
            (State::Creating, CallRefusal::NameTaken) => {
                self.last_create = self.clock.at;
                self.was_create_lost = true;
                self.pause(WaitReason::Issuer, State::Finding)
            }
            // The bearer may get a valid token or its rights back.
            (state, CallRefusal::Unauthorized) if state.repeats() || state == State::Creating => {
                self.pause(WaitReason::Issuer, state)
            }
            (State::Creating, CallRefusal::Forbidden) => self.undo(Reason::MayNotCreate),
            (State::Creating | State::Clearing(_), _) => self.undo(Reason::NotCreated),
            (State::Deleting, _) => {
                self.left.insert(self.notes.old.label().to_owned());
                self.sweep()
            }
            (State::Removing(key, record), _) => {
                self.left.insert(key.label().to_owned());
                State::Sweeping(record)
            }
            (state, _) if state.repeats() => self.pause(WaitReason::Issuer, state),
            (state, _) => state,
        }
    }

    pub(super) fn not_noted(&mut self, state: State) -> State {
        match state {
            State::Noting if self.notes.phase == Phase::Creating => {
                self.refusal = Some(StartRefusal::NoJournal);
                State::Closing
            }
            State::Noting | State::Closing => self.pause(WaitReason::Journal, state),
            _ => state,
        }
    }
}
