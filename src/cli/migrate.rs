//! `jetond migrate`: moves a profile's credential into another store, and can be interrupted anywhere.
//!
//! The intent is recorded first. Then the record is copied, read back, and proved with a token. The configuration then
//! names the other store, and last the former copy is removed. At every point one of the two copies is whole and in
//! use, and the next `migrate` of that name finishes an interrupted one.

mod steps;

use super::admin;
use super::bound::bound_as;
use super::issuer;
use super::moves::{ProfileMoves, end_of_removal, refused};
use super::open_here::{Opening, open_here};
use super::output::{Exit, fail, report};
use super::passphrase::PassphraseArgs;
use super::proof::Proof;
use super::rotating;
use super::store_choice::{self, StoreChoice};
use super::target::{Target, TargetArgs};
use crate::config::{Profile, StoreKind};
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::provider::configured;
use crate::store::{Record, Removals, StoreReading, Stores};

const NOTHING: &str = "nothing is moved";

/// The arguments of `jetond migrate`.
#[derive(Debug, clap::Args)]
pub(super) struct MigrateArgs {
    /// The profile
    #[arg(value_parser = ProfileName::parse)]
    name: ProfileName,
    /// The store to move the credential to
    #[arg(long, value_name = "STORE", value_parser = store_choice::asked())]
    to: StoreKind,
    /// Where the passphrase of the store of encrypted files comes from, if the credential leaves that
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

pub(super) fn migrate(args: &MigrateArgs, env: &Env) -> Exit {
    try_migrate(args, env).err().unwrap_or(Exit::Done)
}

fn try_migrate(args: &MigrateArgs, env: &Env) -> Result<(), Exit> {
    let target = args.target.find_own(env)?;
    let stores = target.stores();
    let migration = Migration {
        moves: ProfileMoves::new(&target, &stores, &args.name, NOTHING),
        name: &args.name,
        to: &args.to,
        target: &target,
        stores: &stores,
        env,
        passphrase: &args.passphrase,
    };
    // Must come before the lock's file is made.
    migration.profile()?;
    let (done, proof) = {
        let _lock = target.lock(NOTHING)?;
        let mut proof = None;
        (migration.carry_out(&mut proof), proof)
    };
    if !matches!(
        done,
        Err(NotMoved::Nothing(_)) | Ok(MigrationOutcome::AlreadyThere)
    ) {
        admin::reload(&target, env);
    }
    // Comes after the reload, as at an enrolment. It holds whatever the migration's result, since the issuer gave a
    // token.
    if let (Some(proof), Ok(places)) = (&proof, admin::places(&target, env)) {
        proof.tell(&places.admin);
    }
    match done {
        Ok(_) => Ok(()),
        Err(NotMoved::Nothing(exit) | NotMoved::Partly(exit)) => Err(exit),
    }
}

/// The result of a migration.
enum MigrationOutcome {
    /// The credential was in that store already.
    AlreadyThere,
    /// It was moved.
    Migrated,
}

/// The exit code of a migration that failed or is incomplete, after its message was printed.
enum NotMoved {
    /// The former store is still in use.
    Nothing(Exit),
    /// The configuration names the new store, but perhaps not durably, and the former copy may still be there.
    Partly(Exit),
}

/// A migration.
struct Migration<'a> {
    name: &'a ProfileName,
    to: &'a StoreKind,
    target: &'a Target,
    stores: &'a Stores,
    moves: ProfileMoves<'a>,
    env: &'a Env,
    passphrase: &'a PassphraseArgs,
}

impl Migration<'_> {
    /// The profile in the current configuration.
    fn profile(&self) -> Result<Profile, Exit> {
        let found = self.target.read_to_change()?;
        let recipient = found.config.recipient.clone();
        self.stores.keys().encrypt_to(recipient);
        let profile = found.config.profiles.get(self.name);
        profile.cloned().ok_or_else(|| {
            let (name, to) = (self.name, self.to.as_str());
            let shown = self.target.config.display();
            let command = format!("migrate {name} --to {to}");
            let system = self.target.hint_of_system(name, &command);
            let what = format!("{NOTHING}: there is no profile {name} in {shown}{system}");
            fail(Exit::Config, what)
        })
    }

    /// The current store of the credential.
    fn store_of<'p>(&self, profile: &'p Profile) -> Result<&'p StoreKind, NotMoved> {
        profile.store().ok_or_else(|| {
            let what = format!(
                "{NOTHING}: the credential of {} comes {}, which Jeton only reads",
                self.name,
                self.stores.whereabouts(profile)
            );
            NotMoved::Nothing(fail(Exit::Config, what))
        })
    }

    fn carry_out(&self, proof: &mut Option<Proof>) -> Result<MigrationOutcome, NotMoved> {
        let profile = self.profile().map_err(NotMoved::Nothing)?;
        let (name, from) = (self.name, self.store_of(&profile)?);
        let lock = self.stores.lock(name);
        let lock = lock.map_err(|error| NotMoved::Nothing(self.moves.refused(&error)))?;
        let settled = self.moves.settle(&lock, from).map_err(NotMoved::Nothing)?;
        for store in settled {
            report(format!(
                "an interrupted move is ended: its copy is removed from {}",
                self.place(&store)
            ));
        }
        if from == self.to {
            report(format!(
                "the credential of {name} is in {} already",
                self.place(from)
            ));
            return Ok(MigrationOutcome::AlreadyThere);
        }
        self.demand_place(from).map_err(NotMoved::Nothing)?;
        let opening = Opening {
            passphrase: Some(self.passphrase),
            instead: "give --passphrase-file PATH, or --passphrase-credential NAME",
        };
        let opened = open_here(self.target, self.stores, from, self.env, &opening);
        opened.map_err(NotMoved::Nothing)?;
        let former = self.stores.store(from).look(name);
        let record = self.record(from, &former).map_err(NotMoved::Nothing)?;
        rotating::refuse(self.target, name, Some(record), NOTHING).map_err(NotMoved::Nothing)?;
        let route = bound_as(self.target, name, &profile, &record.binding);
        let (files, binding) = route.map_err(NotMoved::Nothing)?;
        let (copied, back) = self.copy(&lock, from, record).map_err(NotMoved::Nothing)?;
        let back = match back {
            Some(back) => back,
            None => self
                .load_again(from, record)
                .inspect_err(|_| self.undo(&lock, &copied))?,
        };
        let credential = back.key.credential.trusting(binding.ca);
        let provider = configured::provider(&profile, &files);
        let token = provider.fetch(&credential);
        if let Err(exit) = issuer::ask(&profile, self.env, "no token, so nothing is moved", token) {
            self.undo(&lock, &copied);
            return Err(NotMoved::Nothing(exit));
        }
        *proof = Proof::of(&credential);
        self.switch(&lock, &copied)?;
        self.remove_former(&lock, from, &former.revision)?;
        report(format!(
            "{name} is moved: its credential is in {}, and removed from {}",
            self.place(self.to),
            self.place(from)
        ));
        Ok(MigrationOutcome::Migrated)
    }

    fn place(&self, store: &StoreKind) -> String {
        self.stores.store(store).place_of(self.name)
    }

    /// Checks that the new store can be used, and that no other command or configuration uses what is there.
    fn demand_place(&self, from: &StoreKind) -> Result<(), Exit> {
        let (name, target) = (self.name, self.target);
        let refuse = |why: String| fail(Exit::Config, format!("{NOTHING}: {why}"));
        let place = StoreChoice::choose(Some(self.to.clone()), target.system, self.stores, name);
        place.map_err(|why| refuse(why.named("--to")))?;
        let removals = Removals::new(&target.state, target.owner);
        match removals.begun(name) {
            Ok(None) => {}
            Ok(Some(removal)) => {
                let end = end_of_removal(target, name, &removal);
                return Err(refuse(format!("a removal of {name} has not ended; {end}")));
            }
            Err(error) => return Err(refused(&error, NOTHING)),
        }
        for store in [from, self.to] {
            if let Some(other) = target.shares_credential(self.env, name, store) {
                let what = format!(
                    "{} has a profile {name} as well, whose credential is in {}: give one of them another name",
                    other.display(),
                    self.place(store)
                );
                return Err(refuse(what));
            }
        }
        Ok(())
    }

    /// Reads the former store's record again, if the new store cannot be opened.
    fn load_again(&self, from: &StoreKind, record: &Record) -> Result<Record, NotMoved> {
        match self.stores.store(from).load(self.name) {
            Ok(Some(again)) if again.is_same_as(record) => Ok(again),
            Ok(_) => {
                let what = format!("{NOTHING}: the credential was changed meanwhile; try again");
                Err(NotMoved::Nothing(fail(Exit::Later, what)))
            }
            Err(error) => Err(NotMoved::Nothing(refused(&error, NOTHING))),
        }
    }

    /// The record that is to be moved.
    fn record<'r>(&self, from: &StoreKind, former: &'r StoreReading) -> Result<&'r Record, Exit> {
        let record = former.record.as_ref();
        let record = record.map_err(|error| refused(error, NOTHING))?;
        record.as_ref().ok_or_else(|| {
            let rebind = self.target.line(&format!("add {} --rebind", self.name));
            let what = format!(
                "{NOTHING}: no credential of {} is stored in {}; run: {rebind}",
                self.name,
                self.place(from)
            );
            fail(Exit::Config, what)
        })
    }
}
