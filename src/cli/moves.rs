//! The left-overs of an interrupted move of a credential, and how the next command finishes it.

mod messages;

pub(super) use self::messages::{
    end_of_removal, is_being_removed, is_said_of_removal, move_message,
};

use std::path::{Path, PathBuf};

use self::messages::{keeping_here, line};
use super::output::{Exit, fail, print_note};
use super::target::Target;
use crate::causes::Causes;
use crate::config::StoreKind;
use crate::profile::ProfileName;
use crate::settings;
use crate::store::{
    Move, MoveKind, MovedCredential, Moves, ProfileLock, Removals, StoreError, StoreErrorKind,
    Stores,
};

/// The recorded move of one profile's credential.
pub(super) struct ProfileMoves<'a> {
    pub(super) target: &'a Target,
    pub(super) stores: &'a Stores,
    pub(super) name: &'a ProfileName,
    moves: Moves,
    /// The beginning of the message if nothing is done.
    nothing: &'static str,
}

// === impl ProfileMoves ===

impl<'a> ProfileMoves<'a> {
    /// Opens the move of this profile's credential. `nothing` is the beginning of the message if the move cannot be
    /// finished.
    pub(super) fn new(
        target: &'a Target,
        stores: &'a Stores,
        name: &'a ProfileName,
        nothing: &'static str,
    ) -> Self {
        Self {
            target,
            stores,
            name,
            moves: Moves::new(&target.state, target.owner),
            nothing,
        }
    }

    /// Records that a move begins.
    pub(super) fn begin(&self, lock: &ProfileLock, kind: MoveKind) -> Result<(), Exit> {
        let begun = Move {
            config: self.config(),
            kind,
        };
        let written = self.moves.begin(lock, &begun);
        written.map_err(|error| self.refused(&error))
    }

    /// Records that the move has ended.
    pub(super) fn end(&self, lock: &ProfileLock) -> Result<(), StoreError> {
        self.moves.end(lock)
    }

    /// The unfinished move. Refuses one of another configuration, which has to be finished first.
    pub(super) fn begun(&self) -> Result<Option<Move>, Exit> {
        let begun = self.moves.begun(self.name);
        let begun = begun.map_err(|error| self.refused(&error))?;
        if let Some(other) = begun.as_ref().filter(|begun| begun.config != self.config()) {
            let what = format!(
                "{}: a move of the credential of {} has not ended, which was begun for {}; first run there: {}",
                self.nothing,
                self.name,
                other.config.display(),
                line(self.target, self.name, other)
            );
            return Err(fail(Exit::Config, what));
        }
        Ok(begun)
    }

    /// Whether an unfinished move goes into a file that does not exist.
    pub(super) fn lacks_its_file(&self) -> Result<bool, Exit> {
        let begun = self.begun()?;
        Ok(begun.is_some_and(|begun| match begun.kind {
            MoveKind::Export { file } => file.symlink_metadata().is_err(),
            MoveKind::Migration { .. } | MoveKind::Import { .. } => false,
        }))
    }

    /// Finishes an interrupted move: removes the copy that is not in the store `in_force`. Returns the stores that had
    /// a copy.
    ///
    /// No copy is removed while the store in force has no readable credential: the copy may be the only one.
    pub(super) fn settle(
        &self,
        lock: &ProfileLock,
        in_force: &StoreKind,
    ) -> Result<Vec<StoreKind>, Exit> {
        let Some(begun) = self.begun()? else {
            return Ok(vec![]);
        };
        let (moved, places) = match &begun.kind {
            MoveKind::Migration { from, to, moved } => (moved, vec![from, to]),
            MoveKind::Import { store, moved, .. } => (moved, vec![store]),
            MoveKind::Export { file } => {
                self.refuse_while_exported(&begun, file)?;
                (&NOTHING_MOVED, vec![])
            }
        };
        let left: Vec<_> = places.into_iter().filter(|at| *at != in_force).collect();
        if !left.is_empty() {
            self.demand_readable(in_force)?;
        }
        let mut removed = vec![];
        for store in left {
            let is_removed = self.remove_copy(lock, store, moved);
            if is_removed.map_err(|error| self.refused(&error))? {
                removed.push(store.clone());
            }
        }
        self.end(lock).map_err(|error| self.refused(&error))?;
        Ok(removed)
    }

    /// Removes every copy that an interrupted move left outside `in_force`. The credential in that store is about to be
    /// removed, too.
    pub(super) fn remove_copies(
        &self,
        lock: &ProfileLock,
        in_force: &StoreKind,
    ) -> Result<(), StoreError> {
        let Some(begun) = self.moves.begun(self.name)? else {
            return Ok(());
        };
        let (moved, places) = match &begun.kind {
            MoveKind::Migration { from, to, moved } => (moved, vec![from, to]),
            MoveKind::Import { store, moved, .. } => (moved, vec![store]),
            MoveKind::Export { .. } => (&NOTHING_MOVED, vec![]),
        };
        for store in places.into_iter().filter(|at| *at != in_force) {
            self.remove_copy(lock, store, moved)?;
        }
        Ok(())
    }

    /// Removes the copy of the moved credential; returns whether there was one. Another credential stays.
    fn remove_copy(
        &self,
        lock: &ProfileLock,
        store: &StoreKind,
        moved: &MovedCredential,
    ) -> Result<bool, StoreError> {
        let kept = self.stores.store(store);
        let look = kept.look(self.name);
        match look.record {
            Ok(None) => Ok(false),
            Ok(Some(record)) if MovedCredential::of(&record) == *moved => {
                kept.remove(lock, &look.revision)
            }
            // In the state folder only this copy has the name, and the recorded move names it.
            Err(error) if matches!(error.kind, StoreErrorKind::Locked) => {
                kept.remove(lock, &look.revision)
            }
            Err(error) => Err(error),
            Ok(Some(_)) => {
                print_note(format!(
                    "{} has another credential than the one that was moved: it stays",
                    kept.place_of(self.name)
                ));
                Ok(false)
            }
        }
    }

    fn demand_readable(&self, in_force: &StoreKind) -> Result<(), Exit> {
        let kept = self.stores.store(in_force);
        let why = match kept.load(self.name) {
            Ok(Some(_)) => return Ok(()),
            // The copy was compared with the written bytes before the configuration named it.
            Err(error) if matches!(error.kind, StoreErrorKind::Locked) => return Ok(()),
            Ok(None) => format!(
                "{} has no credential of {}",
                kept.place_of(self.name),
                self.name
            ),
            Err(error) => Causes(&error).to_string(),
        };
        let what = format!(
            "{}: an interrupted move has left another copy of the credential, which stays as long as the one in force cannot be read: {why}",
            self.nothing
        );
        Err(fail(Exit::Config, what))
    }

    /// Refuses while the file of this profile's move exists: another machine may use it.
    fn refuse_while_exported(&self, begun: &Move, file: &Path) -> Result<(), Exit> {
        if file.symlink_metadata().is_err() {
            return self.refuse_while_removed();
        }
        let what = format!(
            "{}: a move of {} into {} has not ended; to end it, run: {}{}",
            self.nothing,
            self.name,
            file.display(),
            line(self.target, self.name, begun),
            keeping_here(self.target, self.name, file)
        );
        Err(fail(Exit::Config, what))
    }

    /// Refuses while an unfinished removal belongs to a move into a file. The file is gone, so the credential here may
    /// be the only one, and only the recorded move says so.
    fn refuse_while_removed(&self) -> Result<(), Exit> {
        let removals = Removals::new(&self.target.state, self.target.owner);
        let begun = removals.begun(self.name);
        let Some(removal) = begun.map_err(|error| self.refused(&error))? else {
            return Ok(());
        };
        let what = format!(
            "{}: a removal of {} has not ended; {}",
            self.nothing,
            self.name,
            end_of_removal(self.target, self.name, &removal)
        );
        Err(fail(Exit::Config, what))
    }

    /// The configuration's path as the record has it.
    fn config(&self) -> PathBuf {
        settings::real_path(&self.target.config)
    }

    /// Reports why nothing is done.
    pub(super) fn refused(&self, error: &StoreError) -> Exit {
        refused(error, self.nothing)
    }
}

/// A placeholder: an export moves nothing from one store to another.
const NOTHING_MOVED: MovedCredential = MovedCredential {
    client_id: String::new(),
    created_at: 0,
};

/// Reports that a store could not be read or changed, and the consequence.
pub(super) fn refused(error: &StoreError, so: &str) -> Exit {
    let exit = match error.kind.is_for_later() {
        true => Exit::Later,
        false => Exit::Config,
    };
    fail(exit, format!("{so}: {}", Causes(error)))
}
