//! Executes the commands of the state machine for a rotation in place.
//!
//! | File | What it does |
//! |---|---|
//! | `begin` | makes the state machine, new or from what an earlier process left |
//! | `check` | checks whether the key's secret can be replaced in place |
//! | `calls` | the calls to the issuer |
//! | `storing`, `slot_reading` | changes and reads the record and the second slot |
//! | `journal` | converts the state machine's notes to and from the journal |
//! | `step_texts` | the sentence for each step |

use tracing::{debug, info, warn};

use super::driver::Driver;
use crate::causes::Causes;
use crate::rotation::{
    InPlace, InPlaceCommand, InPlaceEnd, InPlaceEvent, InPlaceNotes, WriteOutcome,
};

mod begin;
mod calls;
mod check;
mod journal;
mod slot_reading;
mod step_texts;
mod storing;

use slot_reading::SlotReading;

impl Driver {
    /// Drives a rotation in place to its end.
    pub(super) async fn exchange(mut self, mut machine: InPlace) {
        let notes = machine.notes().clone();
        self.open.note_in_place(notes.key.label());
        if self.is_locked_out(&notes).await {
            return self.end_exchange(&notes, InPlaceEnd::NeedsHuman);
        }
        loop {
            let command = machine.command();
            if let InPlaceCommand::End(end) = command {
                if end == InPlaceEnd::NeedsHuman {
                    self.open.note_locked_out(machine.current().clone());
                }
                return self.end_exchange(&notes, end);
            }
            let now = self.shared.outside.clock.now();
            if let Some(step) = step_texts::step(&command, &notes, &self.exchange, now) {
                self.open.tell(step, false);
            }
            let kind = command.kind();
            let Some(event) = self.perform_in_place(&notes, command).await else {
                return self.give_up(&notes).await;
            };
            debug!(
                command = kind,
                event = event.kind(),
                "rotation in place steps"
            );
            machine.step(self.shared.outside.clock.now().boot, event);
        }
    }

    /// Returns whether this process has judged the stored secret before: the issuer rejected it for good. It is not
    /// sent again at each reload.
    async fn is_locked_out(&mut self, notes: &InPlaceNotes) -> bool {
        let Some(rejected) = self.open.locked_out() else {
            return false;
        };
        matches!(self.look_in_place(notes).await, SlotReading::Found(current, _) if current == rejected)
    }

    /// Executes one command; `None` if another program has replaced the stored credential.
    pub(super) async fn perform_in_place(
        &mut self,
        notes: &InPlaceNotes,
        command: InPlaceCommand,
    ) -> Option<InPlaceEvent> {
        Some(match command {
            InPlaceCommand::KeepToken => self.keep_token(notes).await,
            InPlaceCommand::Note(notes) => self.begin_noted(&notes).await,
            InPlaceCommand::Regenerate(key) => self.regenerate(notes, &key).await,
            InPlaceCommand::KeepAnswer => self.keep_answer(notes).await,
            InPlaceCommand::Store(_, secret) => {
                InPlaceEvent::Stored(self.store_secret(notes, &secret).await)
            }
            InPlaceCommand::Prove => self.prove_in_force().await,
            InPlaceCommand::Settle => {
                self.settle().await;
                InPlaceEvent::Settled
            }
            InPlaceCommand::Read => match self.look_in_place(notes).await {
                SlotReading::Unreadable => InPlaceEvent::Unreadable,
                SlotReading::Found(current, slot) => InPlaceEvent::Record(current, slot),
                SlotReading::Replaced => return None,
            },
            InPlaceCommand::Finish(_) => {
                let written = self.finish_exchange(notes).await;
                if written == WriteOutcome::Done
                    && let Some(handle) = self.shared.handle(&self.name)
                {
                    handle.recheck().await;
                }
                InPlaceEvent::Stored(written)
            }
            InPlaceCommand::RemoveNotes => match self.remove_notes().await {
                true => InPlaceEvent::Noted,
                false => InPlaceEvent::NotNoted,
            },
            InPlaceCommand::Pause(pause) => {
                let clock = &self.shared.outside.clock;
                clock.sleep_until(pause.until).await;
                InPlaceEvent::Woken
            }
            // Does not occur: the loop ends at this command.
            InPlaceCommand::End(_) => InPlaceEvent::Woken,
        })
    }

    fn end_exchange(&self, notes: &InPlaceNotes, end: InPlaceEnd) {
        let step = step_texts::ended(&self.name, notes, end, &self.exchange);
        let needs_human = end == InPlaceEnd::NeedsHuman;
        match needs_human {
            true => warn!(sentence = step.sentence, "the rotation needs a manual step"),
            false => info!(sentence = step.sentence, "rotation ends"),
        }
        self.open.tell(step, needs_human);
    }

    /// Ends the rotation because another program has replaced the stored credential, and clears what was kept for it.
    async fn give_up(&mut self, notes: &InPlaceNotes) {
        if let Err(error) = self.forget_slot().await {
            warn!(why = error, "what was kept for the rotation stays");
        }
        self.remove_notes().await;
        let step = step_texts::replaced(notes);
        info!(sentence = step.sentence, "rotation ends");
        self.open.tell(step, false);
    }

    /// Empties the second slot.
    ///
    /// # Errors
    /// The reason why the slot may not be empty, for people.
    async fn forget_slot(&self) -> Result<(), String> {
        let (shared, name) = (self.shared(), self.name.clone());
        let forgotten = self.blocking(move || {
            let Some(store) = shared.store(&name) else {
                return Ok(());
            };
            let lock = shared.outside.stores.lock(&name)?;
            store.forget(&lock).map(drop)
        });
        let forgotten = forgotten.await?;
        forgotten.map_err(|error| Causes(&error).to_string())
    }
}
