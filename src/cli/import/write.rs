//! Writes a profile in this order: the intent, the certificates, the record, and the configuration. If the command is
//! killed anywhere, the recorded intent shows what is left, and the same import continues.

use std::ffi::OsStr;
use std::fs;
use std::io;

use super::super::moves::{ProfileMoves, end_of_removal, refused};
use super::super::output::{Exit, fail};
use super::super::target::ChangeError;
use super::Import;
use super::plan::{Ca, NOTHING, Plan};
use crate::config;
use crate::folder::{Attributes, Folder};
use crate::settings::FileReaders;
use crate::store::{MoveKind, MovedCredential, ProfileLock, Removals, Revision, StoreError};
use crate::trust::is_full;

impl Import<'_> {
    /// Writes one profile. The caller holds the configuration's lock.
    pub(super) fn write_one(&self, plan: &Plan) -> Result<(), Exit> {
        let name = &plan.name;
        let refuse = |why: String| fail(Exit::Config, format!("{NOTHING}: {why}"));
        let lock = self.stores.lock(name);
        let lock = lock.map_err(|error| refused(&error, NOTHING))?;
        let found = self.target.read_to_change()?;
        if found.config.profiles.contains_key(name) {
            return Err(refuse(format!(
                "conflict: there is a profile {name} already, which was added meanwhile"
            )));
        }
        config::add_profile(&found.text, name, &plan.profile).map_err(|error| {
            let shown = self.target.config.display();
            refuse(format!("{shown}: {error}"))
        })?;
        let moves = ProfileMoves::new(self.target, &self.stores, name, NOTHING);
        self.demand_free(plan, &moves)?;
        let kind = MoveKind::Import {
            store: plan.place.kind().clone(),
            ca_file: plan.profile.ca_file.clone(),
            moved: MovedCredential::of(&plan.record),
        };
        moves.begin(&lock, kind)?;
        let undone = |exit| {
            // If a part stays, the recorded intent shows it.
            let _: Result<(), StoreError> = moves.end(&lock);
            exit
        };
        let is_new = match &plan.ca {
            Some(ca) => self.write_ca(ca).map_err(undone)?,
            None => false,
        };
        let without_ca = || {
            if let Some(ca) = plan.ca.as_ref().filter(|_| is_new) {
                let _: io::Result<()> = fs::remove_file(&ca.file.path);
            }
        };
        let store = self.stores.store(plan.place.kind());
        let written = store.replace(&lock, &plan.seen.revision, &plan.record);
        let written = written.map_err(|error| {
            let exit = refused(&error, NOTHING);
            if !error.changed {
                without_ca();
                undone(exit);
            }
            exit
        })?;
        let add = |text: &str| config::add_profile(text, name, &plan.profile);
        let changed = self.target.change(&found.content, add);
        changed.map_err(|error| self.not_written(plan, &lock, &written, &error, &without_ca))?;
        moves.end(&lock).map_err(|error| {
            let what = format!("{name} is imported, but its record was not removed");
            refused(&error, &what)
        })
    }

    /// Refuses if the store has another credential of this name than the one of this import, and if another command is
    /// unfinished.
    fn demand_free(&self, plan: &Plan, moves: &ProfileMoves<'_>) -> Result<(), Exit> {
        let (name, target) = (&plan.name, self.target);
        let refuse = |why: String| Err(fail(Exit::Config, format!("{NOTHING}: {why}")));
        match Removals::new(&target.state, target.owner).begun(name) {
            Ok(None) => {}
            Ok(Some(removal)) => {
                let end = end_of_removal(target, name, &removal);
                return refuse(format!("a removal of {name} has not ended; {end}"));
            }
            Err(error) => return Err(refused(&error, NOTHING)),
        }
        let moved = MovedCredential::of(&plan.record);
        match moves.begun()?.map(|begun| begun.kind) {
            None => {}
            Some(MoveKind::Import {
                moved: begun,
                store,
                ..
            }) if begun == moved && store == *plan.place.kind() => {}
            Some(MoveKind::Export { file }) if file.symlink_metadata().is_err() => {}
            Some(_) => {
                return refuse(format!(
                    "a move of {name} has not ended; see what is left with: {}",
                    target.line("check")
                ));
            }
        }
        let store = self.stores.store(plan.place.kind());
        match &plan.seen.record {
            Ok(None) => {}
            Ok(Some(record)) if MovedCredential::of(record) == moved => {}
            Ok(Some(_)) => {
                return refuse(format!(
                    "conflict: {} has another credential for {name}, which this would replace; give the profile another name with --as NAME, or another place with --store",
                    store.place_of(name)
                ));
            }
            Err(error) => return Err(refused(error, NOTHING)),
        }
        match target.shares_credential(self.env, name, plan.place.kind()) {
            Some(other) => refuse(format!(
                "conflict: {} has a profile {name}, whose credential this would replace; give the profile another name with --as NAME",
                other.display()
            )),
            None => Ok(()),
        }
    }

    /// Writes the certificates into a file of their own; returns whether the file is new. Accepts an existing file with
    /// the same certificates.
    fn write_ca(&self, ca: &Ca) -> Result<bool, Exit> {
        let path = &ca.file.path;
        let refuse = |error: &io::Error, action: &str| {
            let exit = match is_full(error) {
                true => Exit::Later,
                false => Exit::Config,
            };
            let what = format!("{NOTHING}: {}: cannot {action}: {error}", path.display());
            fail(exit, what)
        };
        match fs::read(path) {
            Ok(there) if there == ca.text.as_bytes() => return Ok(false),
            Ok(_) => {
                let what = format!(
                    "{NOTHING}: conflict: {} has other certificates; give the profile another name with --as NAME, or move that file away",
                    path.display()
                );
                return Err(fail(Exit::Config, what));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(refuse(&error, "read it")),
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            let error = io::ErrorKind::InvalidFilename.into();
            return Err(refuse(&error, "write it"));
        };
        let folder = Folder::open(folder).map_err(|error| refuse(&error, "open its folder"))?;
        let attributes = Attributes {
            owner: self.target.uid,
            group: None,
            mode: match self.target.readers {
                FileReaders::Owner => 0o600,
                FileReaders::Everyone => 0o644,
            },
        };
        let written = put(&folder, name, ca.text.as_bytes(), attributes);
        written.map_err(|(action, error)| refuse(&error, action))?;
        Ok(true)
    }

    /// Removes the credential from the store again, unless the profile was written despite the error.
    fn not_written(
        &self,
        plan: &Plan,
        lock: &ProfileLock,
        written: &Revision,
        error: &ChangeError,
        without_ca: &dyn Fn(),
    ) -> Exit {
        if error.is_changed() {
            return error.tell("the profile is imported, but may be lost in a power failure");
        }
        let exit = error.tell(NOTHING);
        let store = self.stores.store(plan.place.kind());
        if store.remove(lock, written).is_ok() {
            without_ca();
            let moves = ProfileMoves::new(self.target, &self.stores, &plan.name, NOTHING);
            let _: Result<(), StoreError> = moves.end(lock);
        }
        exit
    }
}

fn put(
    folder: &Folder,
    name: &OsStr,
    bytes: &[u8],
    attributes: Attributes,
) -> Result<(), (&'static str, io::Error)> {
    let written = || {
        let mut new = folder.create_temporary("import", attributes)?;
        new.fill(bytes)?;
        new.put_new(name)
    };
    written().map_err(|error| (error.action, error.source))
}
