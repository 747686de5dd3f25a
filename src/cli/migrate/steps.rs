//! The steps of a migration. The command may be interrupted after each.

use std::sync::Arc;

use super::super::moves::refused;
use super::super::output::{Exit, fail, print_note};
use super::{Migration, NOTHING, NotMoved};
use crate::causes::Causes;
use crate::config::{self, StoreKind};
use crate::settings::Content;
use crate::store::{
    MoveKind, MovedCredential, ProfileLock, Record, Revision, Store, StoreError, StoreErrorKind,
};

/// A copy in the new store.
pub(super) struct StoredCopy {
    store: Arc<dyn Store>,
    revision: Revision,
    /// Whether the same record was there before.
    was_there: bool,
}

impl Migration<'_> {
    /// Records the intent, copies the record into the new store, and reads it back if that store is unlocked.
    pub(super) fn copy(
        &self,
        lock: &ProfileLock,
        from: &StoreKind,
        record: &Record,
    ) -> Result<(StoredCopy, Option<Record>), Exit> {
        let name = self.name;
        let store = self.stores.store(self.to);
        let seen = store.look(name);
        let was_there = match &seen.record {
            Ok(None) => false,
            Ok(Some(there)) if there.is_same_as(record) => true,
            Ok(Some(_)) => {
                let what = format!(
                    "{NOTHING}: conflict: {} has another credential for {name}, which this would replace; if nothing uses it, remove it there and run this again",
                    store.place_of(name)
                );
                return Err(fail(Exit::Config, what));
            }
            Err(error) => return Err(refused(error, NOTHING)),
        };
        let kind = MoveKind::Migration {
            from: from.clone(),
            to: self.to.clone(),
            moved: MovedCredential::of(record),
        };
        self.moves.begin(lock, kind)?;
        let revision = match store.replace(lock, &seen.revision, record) {
            Ok(revision) => revision,
            Err(error) => {
                // If a copy may be there, the next command handles it by the recorded intent.
                if !error.changed {
                    self.end(lock);
                }
                return Err(refused(&error, NOTHING));
            }
        };
        let copied = StoredCopy {
            store,
            revision,
            was_there,
        };
        let look = copied.store.look(name);
        let why = match look.record {
            Ok(Some(back)) if back.is_same_as(record) => return Ok((copied, Some(back))),
            // A locked store of encrypted files can be written: then the bytes are compared.
            Err(error)
                if matches!(error.kind, StoreErrorKind::Locked)
                    && look.revision == copied.revision =>
            {
                return Ok((copied, None));
            }
            Ok(_) => "it differs from what was written".to_owned(),
            Err(error) => Causes(&error).to_string(),
        };
        self.undo(lock, &copied);
        let place = copied.store.place_of(name);
        let what = format!("{NOTHING}: the copy in {place} cannot be read back: {why}");
        Err(fail(Exit::Config, what))
    }

    /// Makes the configuration name the new store.
    pub(super) fn switch(&self, lock: &ProfileLock, copied: &StoredCopy) -> Result<(), NotMoved> {
        let set = |text: &str| config::set_store(text, self.name, self.to);
        match self.target.change(&Content::Text, set) {
            Ok(()) => Ok(()),
            Err(error) if error.is_changed() => {
                let what = format!(
                    "{} is moved, but may be lost in a power failure, so the former copy stays; run this again",
                    self.name
                );
                Err(NotMoved::Partly(error.tell(&what)))
            }
            Err(error) => {
                let exit = error.tell(NOTHING);
                self.undo(lock, copied);
                Err(NotMoved::Nothing(exit))
            }
        }
    }

    /// Removes the former copy, and ends the migration.
    pub(super) fn remove_former(
        &self,
        lock: &ProfileLock,
        from: &StoreKind,
        former: &Revision,
    ) -> Result<(), NotMoved> {
        // The temporary files of killed writers contain the secret as well.
        self.stores.sweep(lock);
        let removed = self.stores.store(from).remove(lock, former);
        removed.and_then(|_| self.moves.end(lock)).map_err(|error| {
            let what = format!(
                "{} is moved, but its former copy may still be in {}; run this again",
                self.name,
                self.place(from)
            );
            NotMoved::Partly(refused(&error, &what))
        })
    }

    /// Removes the copy again. If that fails, the recorded intent stays, and the next command finds the copy.
    pub(super) fn undo(&self, lock: &ProfileLock, copied: &StoredCopy) {
        let removed = match copied.was_there {
            true => Ok(false),
            false => copied.store.remove(lock, &copied.revision),
        };
        match removed {
            Ok(_) => self.end(lock),
            Err(error) => {
                let place = copied.store.place_of(self.name);
                print_note(format!(
                    "the copy in {place} may still be there: {}; to end this, run: {}",
                    Causes(&error),
                    self.target
                        .line(&format!("migrate {} --to {}", self.name, self.to.as_str()))
                ));
            }
        }
    }

    /// Records that the migration has ended. If that fails, the next command checks and finds nothing to do.
    fn end(&self, lock: &ProfileLock) {
        let _: Result<(), StoreError> = self.moves.end(lock);
    }
}
