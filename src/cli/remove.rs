//! `jetond remove`: forgets a profile and its credential, and can be interrupted anywhere.
//!
//! What is meant is written down first; then the profile goes, then the credential. The next `remove` of that name goes
//! on where one was interrupted. Of a name that is neither in the configuration nor written down, nothing is touched.

use super::admin;
use super::output::{Exit, fail, say, tell};
use super::prompt;
use super::target::{Target, TargetArgs};
use crate::causes::Causes;
use crate::config::{self, StoreKind};
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::settings::{self, Content};
use crate::store::{KeyringStore, Removal, Removals, StoreError, StoreErrorKind, Stores};

const NOTHING: &str = "nothing is removed";

/// The arguments of `jetond remove`.
#[derive(Debug, clap::Args)]
pub(super) struct RemoveArgs {
    /// The profile
    #[arg(value_parser = ProfileName::parse)]
    name: ProfileName,
    /// Remove it without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

pub(super) fn remove(args: &RemoveArgs, env: &Env) -> Exit {
    try_remove(args, env).err().unwrap_or(Exit::Done)
}

fn try_remove(args: &RemoveArgs, env: &Env) -> Result<(), Exit> {
    let target = args.target.find_own(env)?;
    let work = Work {
        name: &args.name,
        removals: Removals::new(&target.state, target.owner),
        stores: target.stores(),
        target: &target,
    };
    let left = work.left()?;
    if !args.yes {
        confirm(&work.sentence(left))?;
    }
    let done = {
        let _lock = target.lock(NOTHING)?;
        // A person may have thought about it for a while.
        if work.left()? != left {
            let what = format!(
                "{NOTHING}: the profile {} was changed meanwhile; try again",
                args.name
            );
            return Err(fail(Exit::Later, what));
        }
        work.carry_out(left)
    };
    if done.is_ok() {
        say(format!(
            "{} is removed from this machine; its key at the issuer is still valid until it is deleted there",
            args.name
        ));
    }
    if !matches!(done, Err(NotRemoved::Nothing(_))) {
        admin::reload(&target, env);
    }
    done.map_err(|(NotRemoved::Nothing(exit) | NotRemoved::Credential(exit))| exit)
}

/// Asks a person. Without a terminal the command line has to say `--yes`.
fn confirm(what: &str) -> Result<(), Exit> {
    if !prompt::possible() {
        let what = format!("{NOTHING}: there is no terminal to ask on; with --yes, {what}");
        return Err(fail(Exit::Usage, what));
    }
    tell(what);
    if prompt::confirmed("Remove it?")? {
        Ok(())
    } else {
        Err(fail(Exit::Failed, NOTHING))
    }
}

/// What there is to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    /// Where the credential is.
    store: StoreKind,
    /// Whether the configuration names the profile; if not, an interrupted removal has taken it out.
    profile: bool,
}

/// What was not removed; it has been told.
enum NotRemoved {
    /// Everything is as it was.
    Nothing(Exit),
    /// The profile is removed, and its credential may still be stored.
    Credential(Exit),
}

/// A removal.
struct Work<'a> {
    name: &'a ProfileName,
    target: &'a Target,
    stores: Stores,
    removals: Removals,
}

impl Work<'_> {
    /// Finds out what there is to remove.
    fn left(&self) -> Result<Left, Exit> {
        let config = self.target.read_to_change()?.config;
        if let Some(profile) = config.profiles.get(self.name) {
            return Ok(Left {
                store: profile.store,
                profile: true,
            });
        }
        let (name, shown) = (self.name, self.target.config.display());
        let unknown = format!("there is no profile {name} in {shown}");
        match self.removals.begun(name) {
            Ok(Some(removal)) if removal.config == self.config() => Ok(Left {
                store: removal.store,
                profile: false,
            }),
            Ok(_) => Err(fail(Exit::Config, format!("{unknown}; {NOTHING}"))),
            Err(error) => {
                let why = Causes(&error);
                Err(fail(Exit::Config, format!("{unknown}; {NOTHING}: {why}")))
            }
        }
    }

    /// The configuration as it is written down.
    fn config(&self) -> std::path::PathBuf {
        settings::real_path(&self.target.config)
    }

    /// What will be done, for a person.
    fn sentence(&self, left: Left) -> String {
        let credential = match left.store {
            StoreKind::File => self.stores.file().path(self.name).display().to_string(),
            StoreKind::Keyring => format!("the OS keyring ({})", KeyringStore::NAME),
        };
        let (name, config) = (self.name, self.target.config.display());
        if left.profile {
            format!(
                "this removes the profile {name} from {config} and its credential from {credential}"
            )
        } else {
            format!(
                "this removes the credential of the profile {name} from {credential}, which an interrupted removal from {config} has left there"
            )
        }
    }

    fn carry_out(&self, left: Left) -> Result<(), NotRemoved> {
        if left.profile {
            self.remove_profile(left.store)?;
        }
        self.stores
            .of(left.store)
            .remove(self.name)
            .and_then(|_| self.removals.end(self.name))
            .map_err(|error| {
                let what = format!(
                    "the profile is removed, but its credential perhaps not; to go on, run this again: {}",
                    Causes(&error)
                );
                NotRemoved::Credential(fail(exit_of(&error), what))
            })
    }

    /// Writes down what is meant, and takes the profile out of the configuration.
    fn remove_profile(&self, store: StoreKind) -> Result<(), NotRemoved> {
        let refused = |error: &StoreError| {
            let what = format!("{NOTHING}: {}", Causes(error));
            NotRemoved::Nothing(fail(exit_of(error), what))
        };
        // While nothing has begun, a store that cannot be changed now is no interruption.
        self.probe(store).map_err(|error| refused(&error))?;
        let removal = Removal {
            store,
            config: self.config(),
        };
        self.removals
            .begin(self.name, &removal)
            .map_err(|error| refused(&error))?;
        let without = |text: &str| config::remove_profile(text, self.name);
        match self.target.change(&Content::Text, without) {
            Ok(()) => Ok(()),
            Err(error) if error.is_changed() => {
                let what = "the profile is removed, but perhaps not for long, and its credential is still there; run this again";
                Err(NotRemoved::Credential(error.tell(what)))
            }
            Err(error) => {
                // What it says is true all the same: the profile is in the configuration, and counts.
                let _: Result<(), StoreError> = self.removals.end(self.name);
                Err(NotRemoved::Nothing(error.tell(NOTHING)))
            }
        }
    }

    fn probe(&self, store: StoreKind) -> Result<(), StoreError> {
        match store {
            StoreKind::File => self.stores.file().probe(),
            StoreKind::Keyring => self
                .stores
                .keyring()
                .probe(self.name)
                .map_err(|fault| StoreError::of_keyring(self.name, fault)),
        }
    }
}

const fn exit_of(error: &StoreError) -> Exit {
    match error.kind {
        StoreErrorKind::Busy => Exit::Later,
        _ => Exit::Config,
    }
}
