//! `jetond export`: puts profiles into a file that a passphrase opens, for another machine.
//!
//! Without `--move` the profiles stay, and each credential is marked as shared before the file exists: a rotation must
//! not revoke a secret that another machine uses. With `--move` they are removed here, after the file was synced, read
//! back and opened.

mod content;
mod file;
mod finish;
mod marks;

pub(super) use file::{read as read_file, unfinished};

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::admin;
use super::moves::{ProfileMoves, refused};
use super::output::{Exit, fail, print_note, report};
use super::passphrase::{self, PassphraseArgs};
use super::prompt;
use super::target::{Target, TargetArgs};
use crate::age_file::{Passphrase, WorkFactor};
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::store::{MoveKind, ProfileLock, StoreError, Stores};
use crate::transfer::{self, Exported};
use content::{ExportContent, ExportReader, NOTHING};
use marks::SharedMarks;

/// The arguments of `jetond export`.
#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    /// The profiles
    #[arg(value_name = "PROFILE", required = true, value_parser = ProfileName::parse)]
    names: Vec<ProfileName>,
    /// The file, which must not exist yet
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Remove the profiles from this machine after the file was written, read back and opened
    #[arg(long = "move")]
    moves: bool,
    /// Read the passphrase from this file instead of asking for it
    #[arg(long, value_name = "PATH")]
    passphrase_file: Option<PathBuf>,
    /// Read the passphrase of the store of encrypted files from this file instead of asking for it
    #[arg(long, value_name = "PATH")]
    store_passphrase_file: Option<PathBuf>,
    /// With --move, remove the profiles without asking
    #[arg(long, requires = "moves")]
    yes: bool,
    /// How much work it takes to try a passphrase: 18 is about a second and 256 MiB
    #[arg(long, value_name = "N", value_parser = WorkFactor::parse, hide = true)]
    work_factor: Option<WorkFactor>,
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

pub(super) fn export(args: &ExportArgs, env: &Env) -> Exit {
    try_export(args, env).err().unwrap_or(Exit::Done)
}

fn try_export(args: &ExportArgs, env: &Env) -> Result<(), Exit> {
    let target = args.target.find_own(env)?;
    let file = std::path::absolute(&args.to);
    let export = Export {
        names: args.names.iter().collect(),
        file: file.map_err(|e| fail(Exit::Usage, format!("{}: {e}", args.to.display())))?,
        moves: args.moves,
        work: args.work_factor.unwrap_or(WorkFactor::USUAL),
        stores: target.stores(),
        target: &target,
        env,
        of_store: PassphraseArgs::of(args.store_passphrase_file.as_deref()),
    };
    // All checks that need no passphrase come before the person is asked for one.
    let goes_on = export.goes_on()?;
    if !goes_on && export.file.symlink_metadata().is_ok() {
        let what = format!(
            "{NOTHING}: {} exists already, and no file is overwritten; choose another name",
            export.file.display()
        );
        return Err(fail(Exit::Config, what));
    }
    export.gather()?;
    let from = args.passphrase_file.as_deref();
    let passphrase = match goes_on {
        true => passphrase::of_file(from, &export.file)?,
        false => passphrase::of_new_file(from, &export.file)?,
    };
    if args.moves && !args.yes {
        export.confirm()?;
    }
    let done = {
        let _lock = target.lock(NOTHING)?;
        let locks = export.lock()?;
        match goes_on {
            true => export.demand_held(&passphrase)?,
            false => export.write(&locks, &passphrase)?,
        }
        export.finish(&locks)
    };
    if args.moves {
        admin::reload(&target, env);
    }
    done
}

/// An export.
struct Export<'a> {
    /// In sorted order, in which they are locked.
    names: BTreeSet<&'a ProfileName>,
    file: PathBuf,
    moves: bool,
    work: WorkFactor,
    target: &'a Target,
    stores: Stores,
    env: &'a Env,
    /// The source of the passphrase for the store of encrypted files.
    of_store: PassphraseArgs,
}

impl Export<'_> {
    fn confirm(&self) -> Result<(), Exit> {
        let names = self.listed();
        let what = format!(
            "once {} is written, this removes from this machine, with their credentials: {names}",
            self.file.display()
        );
        if !prompt::possible() {
            let what = format!("{NOTHING}: without a terminal this needs --yes; then {what}");
            return Err(fail(Exit::Usage, what));
        }
        print_note(what);
        match prompt::confirmed("Move them?")? {
            true => Ok(()),
            false => Err(fail(Exit::Failed, NOTHING)),
        }
    }

    /// Reads the profiles to export. Refuses those that cannot be exported.
    fn gather(&self) -> Result<Vec<ExportContent>, Exit> {
        let gathering = ExportReader {
            target: self.target,
            stores: &self.stores,
            names: &self.names,
            env: self.env,
            passphrase: &self.of_store,
        };
        gathering.gather()
    }

    fn listed(&self) -> String {
        let names: Vec<_> = self.names.iter().map(|name| name.as_str()).collect();
        names.join(", ")
    }

    fn moves_of<'m>(&'m self, name: &'m ProfileName) -> ProfileMoves<'m> {
        ProfileMoves::new(self.target, &self.stores, name, NOTHING)
    }

    /// Whether this continues an interrupted move into the same file.
    fn goes_on(&self) -> Result<bool, Exit> {
        let mut goes_on = self.moves && self.file.symlink_metadata().is_ok();
        for name in &self.names {
            let begun = self.moves_of(name).begun()?;
            goes_on &= begun.is_some_and(|begun| match begun.kind {
                MoveKind::Export { file } => file == self.file,
                MoveKind::Migration { .. } | MoveKind::Import { .. } => false,
            });
        }
        Ok(goes_on)
    }

    /// Locks the profiles, so that other programs cannot change their stored data.
    fn lock(&self) -> Result<Vec<ProfileLock>, Exit> {
        let locks = self.names.iter().map(|name| {
            let lock = self.stores.lock(name);
            lock.map_err(|error| refused(&error, NOTHING))
        });
        locks.collect()
    }

    /// Records the intent, marks the credentials that stay, and writes the file. If that fails, everything is undone.
    fn write(&self, locks: &[ProfileLock], passphrase: &Passphrase) -> Result<(), Exit> {
        // The person may have thought about a passphrase for a while.
        let gathered = self.gather()?;
        for lock in locks {
            let name = lock.profile();
            let moves = self.moves_of(name);
            // This move replaces an earlier one whose file is gone.
            let begins_again = self.moves && moves.lacks_its_file()?;
            let profile = gathered.iter().find(|one| one.name == *name);
            if let Some(profile) = profile.filter(|_| !begins_again) {
                for store in moves.settle(lock, &profile.store)? {
                    let place = self.stores.store(&store).place_of(name);
                    report(format!(
                        "an interrupted move is ended: its copy is removed from {place}"
                    ));
                }
            }
            if self.moves {
                let file = self.file.clone();
                moves.begin(lock, MoveKind::Export { file })?;
            }
        }
        let marked = match self.moves {
            true => SharedMarks::default(),
            false => SharedMarks::set(&self.stores, locks, self.gather()?)?,
        };
        let exported = gathered.into_iter().map(|one| one.exported(!self.moves));
        let written = self.write_file(&exported.collect(), passphrase);
        written.inspect_err(|_| self.undo(locks, marked))
    }

    fn write_file(&self, exported: &Exported, passphrase: &Passphrase) -> Result<(), Exit> {
        let failed = |why: String| {
            let what = format!("{NOTHING}: {}: {why}", self.file.display());
            fail(Exit::Config, what)
        };
        let json = transfer::to_json(exported);
        let json = json.ok_or_else(|| failed("it is too large for one file".to_owned()))?;
        let sealed = passphrase.seal(&json, self.work);
        let sealed =
            sealed.ok_or_else(|| failed("the system gives no random numbers".to_owned()))?;
        let made = file::make(&self.file, &sealed, self.target).map_err(|error| {
            let exit = error.exit();
            fail(exit, format!("{NOTHING}: {}: {error}", self.file.display()))
        })?;
        let opened = file::read(&self.file)
            .map_err(|error| error.to_string())
            .and_then(|bytes| {
                let opened = passphrase.open(&bytes, transfer::MAX_LEN);
                opened.map_err(|why| why.to_string())
            });
        match opened {
            Ok(back) if back == json => Ok(()),
            Ok(_) => {
                made.discard();
                Err(failed(
                    "the file that was read back differs from what was written".to_owned(),
                ))
            }
            Err(why) => {
                made.discard();
                Err(failed(format!("it cannot be opened again: {why}")))
            }
        }
    }

    /// Undoes the marks and the recorded intent.
    fn undo(&self, locks: &[ProfileLock], marks: SharedMarks) {
        marks.take_off(&self.stores, locks);
        for lock in locks.iter().filter(|_| self.moves) {
            // Without the file, a recorded intent has no effect.
            let _: Result<(), StoreError> = self.moves_of(lock.profile()).end(lock);
        }
    }

    /// Checks that the file of an interrupted move has the credentials that are to be removed here.
    fn demand_held(&self, passphrase: &Passphrase) -> Result<(), Exit> {
        let refuse = |why: String| {
            let what = format!("nothing is removed: {}: {why}", self.file.display());
            fail(Exit::Config, what)
        };
        let bytes = file::read(&self.file).map_err(|error| refuse(error.to_string()))?;
        let json = passphrase.open(&bytes, transfer::MAX_LEN);
        let json = json.map_err(|why| refuse(why.to_string()))?;
        let held = transfer::parse(&json).map_err(|why| refuse(why.to_string()))?;
        for one in self.gather()? {
            let credential = &one.record.key.credential;
            let is_held = held.get(&one.name).is_some_and(|held| {
                let held = &held.key.credential;
                held.client_id == credential.client_id
                    && held.client_secret == credential.client_secret
            });
            if !is_held {
                return Err(refuse(format!(
                    "it does not have the credential of {} that is stored here; remove the file and run this again",
                    one.name
                )));
            }
        }
        Ok(())
    }
}
