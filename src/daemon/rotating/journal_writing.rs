//! Writes the journal of a rotation.

use tracing::{debug, warn};

use super::driver::Driver;
use super::journal::{self, JournalContext};
use crate::applications::Family;
use crate::causes::Causes;
use crate::rotation::{Notes, Overlap, Phase, State};
use crate::store::{RotationJournal, StoreError};

impl Driver {
    /// Rewrites a found journal as ours, so that no other host claims it. If it cannot be written now, the write of
    /// the next phase does it.
    pub(super) async fn claim(&mut self, machine: &Overlap) {
        if !matches!(machine.state(), State::Checking(_)) && !self.note_down(machine.notes()).await
        {
            debug!("the journal that was found cannot be written now");
        }
    }

    pub(super) async fn note(&mut self, notes: &Notes) -> bool {
        if notes.phase == Phase::Grace && !self.follows(notes).await {
            debug!("the profile does not use the new key yet");
            let what = format!("the profile {} to use {}", self.name, notes.name);
            let handle = self.shared.handle(&self.name);
            let trouble = handle.and_then(|handle| handle.trouble());
            self.hindrance.note(match trouble {
                Some(why) => format!("{what}: {why}"),
                None => format!("{what}: its stored credential cannot be read now"),
            });
            return false;
        }
        self.note_down(notes).await
    }

    /// Checks whether the profile uses the new key, as it must after the switch. Until then it gets tokens with the
    /// old key.
    async fn follows(&mut self, notes: &Notes) -> bool {
        let Some(handle) = self.shared.handle(&self.name) else {
            return true;
        };
        if let Some(proven) = self.proven.take() {
            handle.adopt(proven.sent, proven.grant, proven.date).await;
        }
        let new = notes.new.as_ref().map(|new| new.client_id.as_str());
        let uses_new = || {
            handle
                .enrolment()
                .is_some_and(|it| Some(&*it.client_id) == new)
        };
        if !uses_new() {
            // The profile's store could not be read earlier.
            handle.recheck().await;
        }
        uses_new()
    }

    async fn note_down(&mut self, notes: &Notes) -> bool {
        self.open.note(notes);
        let beside = JournalContext {
            machine: &self.shared.outside.machine,
            with: self.with.as_ref(),
            family: self.family.unwrap_or(Family::AccessKeys),
        };
        let Some(journal) = journal::of_notes(notes, &beside) else {
            return false;
        };
        self.write_journal(journal, notes.phase == Phase::Creating)
            .await
    }

    /// Writes the journal. The first write of a rotation fails if another rotation has a journal.
    pub(super) async fn write_journal(&mut self, journal: RotationJournal, is_first: bool) -> bool {
        self.noted = Some(journal.id.clone());
        let (shared, name) = (self.shared(), self.name.clone());
        let written = self.blocking(move || {
            let lock = shared.outside.stores.lock(&name)?;
            let journals = &shared.outside.journals;
            match is_first {
                true => journals.begin(&lock, &journal),
                false => journals.write(&lock, &journal),
            }
        });
        let written = written.await;
        self.is_done(written, "the journal of the rotation cannot be written")
    }

    pub(super) async fn remove_notes(&mut self) -> bool {
        let (shared, name, noted) = (self.shared(), self.name.clone(), self.noted.clone());
        let removed = self.blocking(move || {
            let lock = shared.outside.stores.lock(&name)?;
            match noted {
                Some(rotation) => shared.outside.journals.end_of(&lock, &rotation),
                None => shared.outside.journals.end(&lock),
            }
        });
        let removed = removed.await;
        self.is_done(removed, "the journal of the rotation cannot be removed")
    }

    fn is_done(&mut self, result: Result<Result<(), StoreError>, String>, what: &str) -> bool {
        let why = match result {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => Causes(&error).to_string(),
            Err(why) => why,
        };
        warn!(why, "{what}");
        let waits_for = format!("the disk with the state folder: {why}");
        self.hindrance.note(waits_for);
        false
    }
}
