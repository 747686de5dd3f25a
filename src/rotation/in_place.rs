//! State machine of a rotation in place: the issuer replaces the key's secret and revokes the old one at once.
//!
//! The rotation first gets a token and keeps it, so that it can repeat the call if the answer is lost. The issuer may
//! execute a lost call later, and thereby revoke a newer secret. So the rotation succeeds only when the secret still
//! gets a token 60 s after the last such call.

use super::event::{CallRefusal, WriteOutcome};
use super::pause::{LATE_CALLS, Pause, WaitReason, proof_wait, retry_wait};
use crate::instant::BootInstant;

mod exchange;

pub use exchange::{InPlaceCommand, InPlaceEnd, InPlaceEvent, InPlaceNotes, SecretHash, Slot};

/// How often a new secret is requested before the secret in force is checked.
const ROUNDS: u8 = 5;

/// How often the secret in force may turn out to be revoked after that, before a person is needed: with their waits,
/// the checks take as long as the kept token surely lasts.
const CHECKS: u8 = 5;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum State {
    KeepingToken,
    Noting,
    Calling,
    KeepingAnswer(SecretHash),
    Storing(SecretHash),
    Proving,
    /// The issuer refused the call: checks whether the secret in force works.
    Judging(CallRefusal),
    /// No call got a usable answer: checks whether the secret in force works.
    Checking,
    Finishing,
    Closing,
    Settling,
    Reading,
    Lasting(Pause, Box<Self>),
    Pausing(Pause, Box<Self>),
    Ended(InPlaceEnd),
}

/// A rotation in place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InPlace {
    notes: InPlaceNotes,
    now: BootInstant,
    /// The secret in force.
    current: SecretHash,
    is_noted: bool,
    last_lost: Option<BootInstant>,
    rounds: u8,
    checks: u8,
    tries: u8,
    faults: u8,
    state: State,
}

// === impl InPlace ===

impl InPlace {
    /// Begins a rotation. The key was found in the issuer's list by its client ID.
    pub fn new(notes: InPlaceNotes, now: BootInstant) -> Self {
        Self::at(State::KeepingToken, notes, now, None)
    }

    /// Resumes a rotation of an earlier process from its journal. The issuer may still execute that process's last
    /// call.
    pub fn resume(notes: InPlaceNotes, now: BootInstant) -> Self {
        Self {
            is_noted: true,
            ..Self::at(State::Settling, notes, now, Some(now))
        }
    }

    fn at(
        state: State,
        notes: InPlaceNotes,
        now: BootInstant,
        last_lost: Option<BootInstant>,
    ) -> Self {
        Self {
            current: notes.old.clone(),
            notes,
            now,
            is_noted: false,
            last_lost,
            rounds: 0,
            checks: 0,
            tries: 0,
            faults: 0,
            state,
        }
    }

    /// Returns the content of the journal.
    pub const fn notes(&self) -> &InPlaceNotes {
        &self.notes
    }

    /// Returns the secret in force.
    pub const fn current(&self) -> &SecretHash {
        &self.current
    }

    /// Returns the executor's next action.
    pub fn command(&self) -> InPlaceCommand {
        let id = || self.notes.rotation.clone();
        match &self.state {
            State::KeepingToken => InPlaceCommand::KeepToken,
            State::Noting => InPlaceCommand::Note(self.notes.clone()),
            State::Calling => InPlaceCommand::Regenerate(self.notes.key.clone()),
            State::KeepingAnswer(_) => InPlaceCommand::KeepAnswer,
            State::Storing(secret) => InPlaceCommand::Store(id(), secret.clone()),
            State::Proving | State::Judging(_) | State::Checking => InPlaceCommand::Prove,
            State::Finishing => InPlaceCommand::Finish(id()),
            State::Closing => InPlaceCommand::RemoveNotes,
            State::Settling => InPlaceCommand::Settle,
            State::Reading => InPlaceCommand::Read,
            State::Lasting(pause, _) | State::Pausing(pause, _) => InPlaceCommand::Pause(*pause),
            State::Ended(end) => InPlaceCommand::End(*end),
        }
    }

    /// Takes the outcome of the last command. Ignores an event that does not belong to that command.
    pub fn step(&mut self, now: BootInstant, event: InPlaceEvent) {
        self.now = now;
        let is_wake = event == InPlaceEvent::Woken;
        let state = std::mem::replace(&mut self.state, State::Reading);
        self.state = self.next(state, event);
        self.faults = match &self.state {
            _ if is_wake => self.faults,
            State::Pausing(..) => self.faults.saturating_add(1),
            _ => 0,
        };
    }

    fn next(&mut self, state: State, event: InPlaceEvent) -> State {
        use InPlaceEvent as E;
        match (state, event) {
            (State::KeepingToken, E::Kept) if self.is_noted => State::Calling,
            (State::KeepingToken, E::Kept) => State::Noting,
            // No call was made to the issuer yet.
            (State::KeepingToken, _) if !self.is_noted => State::Ended(InPlaceEnd::Undone),
            (State::KeepingToken, E::NotKept) => self.pause(WaitReason::Store, State::KeepingToken),
            (State::KeepingToken, E::Rejected) => State::Judging(CallRefusal::Unauthorized),
            (State::Noting, E::Noted) => {
                self.is_noted = true;
                State::Calling
            }
            // The store may still execute that write. It must not reopen the rotation after its end.
            (State::Noting, E::NotNoted) => State::Settling,
            (State::Calling, E::Regenerated(secret)) => {
                self.tries = 0;
                State::KeepingAnswer(secret)
            }
            (State::Calling, E::Lost) => {
                self.last_lost = Some(self.now);
                self.call_again()
            }
            (State::Calling, E::NotSent) => self.pause(WaitReason::Issuer, State::Calling),
            (State::Calling, E::Refused(why)) => {
                self.tries = 0;
                self.after_late_calls(State::Judging(why))
            }
            // The secret goes into the record next, so the slot is optional: it only saves a second call after a
            // kill.
            (State::KeepingAnswer(secret), E::Kept | E::NotKept) => State::Storing(secret),
            (State::Storing(secret), E::Stored(WriteOutcome::Done)) => {
                self.current = secret;
                State::Proving
            }
            (State::Finishing, E::Stored(WriteOutcome::Done)) => State::Closing,
            (state @ (State::Storing(_) | State::Finishing), E::Stored(WriteOutcome::Failed)) => {
                self.pause(WaitReason::Store, state)
            }
            (State::Storing(_) | State::Finishing, E::Stored(WriteOutcome::Unknown)) => {
                State::Settling
            }
            (State::Storing(_) | State::Finishing, E::Stored(WriteOutcome::Conflict)) => {
                self.pause(WaitReason::Store, State::Reading)
            }
            (State::Proving, E::Proved) => match self.has_late_calls() {
                true => self.after_late_calls(State::Proving),
                false => State::Finishing,
            },
            (State::Proving, E::Rejected) => match self.try_again(State::Proving) {
                Some(pause) => pause,
                // The issuer executed a call whose answer was lost after the one that it answered.
                None => self.call_again(),
            },
            (State::Judging(_) | State::Checking, E::Proved) if self.current != self.notes.old => {
                State::Proving
            }
            (State::Judging(CallRefusal::Unauthorized), E::Proved) => {
                self.rounds = self.rounds.saturating_add(1);
                match self.rounds < ROUNDS {
                    true => State::KeepingToken,
                    false => State::Finishing,
                }
            }
            (State::Judging(_) | State::Checking, E::Proved) => State::Finishing,
            (State::Judging(why), E::Rejected) => match self.try_again(State::Judging(why)) {
                Some(pause) => pause,
                None => State::Ended(InPlaceEnd::NeedsHuman),
            },
            (State::Checking, E::Rejected) => match self.try_again(State::Checking) {
                Some(pause) => pause,
                None => self.ask_on(),
            },
            (
                state @ (State::Proving | State::Judging(_) | State::Checking),
                E::Lost | E::NotSent,
            ) => self.pause(WaitReason::Issuer, state),
            (State::Settling, E::Settled) => State::Reading,
            (State::Reading, E::Record(current, slot)) => self.resumed(current, slot),
            (State::Reading, E::Unreadable) => self.pause(WaitReason::Store, State::Reading),
            (State::Closing, E::Noted) => State::Ended(self.end()),
            (State::Closing, E::NotNoted) => self.pause(WaitReason::Journal, State::Closing),
            (State::Pausing(_, after), E::Woken) => *after,
            (State::Lasting(_, after), E::Woken) => self.after_late_calls(*after),
            (state, _) => state,
        }
    }

    fn resumed(&mut self, current: SecretHash, slot: Slot) -> State {
        self.current = current;
        match slot {
            // No call was made to the issuer, and the journal may be missing.
            _ if !self.is_noted => State::Finishing,
            Slot::Answer(secret) if secret != self.current => State::Storing(secret),
            _ if self.current != self.notes.old => State::Proving,
            Slot::Token | Slot::Answer(_) => State::Calling,
            Slot::Empty => self.after_late_calls(State::Judging(CallRefusal::Unauthorized)),
        }
    }

    fn has_late_calls(&self) -> bool {
        let last = self.last_lost;
        last.is_some_and(|at| self.now < at.after(LATE_CALLS))
    }

    /// Continues with this state when the issuer can no longer execute a call whose answer was lost.
    fn after_late_calls(&self, state: State) -> State {
        match self.last_lost.map(|at| at.after(LATE_CALLS)) {
            Some(until) if self.now < until => {
                let why = WaitReason::LateCalls;
                State::Lasting(Pause { until, why }, Box::new(state))
            }
            _ => state,
        }
    }

    fn call_again(&mut self) -> State {
        self.tries = 0;
        self.rounds = self.rounds.saturating_add(1);
        match self.rounds < ROUNDS {
            true => self.pause(WaitReason::Issuer, State::Calling),
            false => self.after_late_calls(State::Checking),
        }
    }

    /// Continues after the secret in force was revoked by calls without a usable answer. The issuer has not refused the
    /// kept token, so that may still get a secret.
    fn ask_on(&mut self) -> State {
        self.tries = 0;
        self.rounds = 0;
        self.checks = self.checks.saturating_add(1);
        match self.checks < CHECKS {
            true => State::Calling,
            false => State::Ended(InPlaceEnd::NeedsHuman),
        }
    }

    fn try_again(&mut self, state: State) -> Option<State> {
        self.tries = self.tries.saturating_add(1);
        let until = self.now.after(proof_wait(self.tries)?);
        let why = WaitReason::Replicas;
        Some(State::Pausing(Pause { until, why }, Box::new(state)))
    }

    fn pause(&self, why: WaitReason, after: State) -> State {
        let until = self.now.after(retry_wait(self.faults));
        State::Pausing(Pause { until, why }, Box::new(after))
    }

    fn end(&self) -> InPlaceEnd {
        match self.current == self.notes.old {
            true => InPlaceEnd::Undone,
            false => InPlaceEnd::Rotated,
        }
    }
}

#[cfg(test)]
mod search;
