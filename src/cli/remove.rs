//! `jetond remove`: forgets a profile and its credential, and can be interrupted anywhere.
//!
//! What is meant is written down first; then the profile goes, then the credential. The next `remove` of that name goes
//! on where one was interrupted. Of a name that is neither in the configuration nor written down, nothing is touched.

use super::admin;
use super::output::{Exit, fail, report, tell};
use super::prompt;
use super::target::{Target, TargetArgs};
use crate::causes::Causes;
use crate::config::{self, StoreKind};
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::settings::{self, Content};
use crate::store::{ProfileLock, Removal, Removals, Revision, StoreError, Stores};

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
        confirm(&work.sentence(&left))?;
    }
    let done = {
        let _lock = target.lock(NOTHING)?;
        let lock = work.lock(&left)?;
        // A person may have thought about it for a while.
        if work.left()? != left {
            let what = format!(
                "{NOTHING}: the profile {} was changed meanwhile; try again",
                args.name
            );
            return Err(fail(Exit::Later, what));
        }
        work.carry_out(&left, lock.as_ref())
    };
    if done.is_ok() {
        report(work.result(&left));
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
#[derive(Debug, PartialEq, Eq)]
struct Left {
    /// Where the credential is.
    store: StoreKind,
    /// Whether the configuration names the profile; if not, an interrupted removal has taken it out.
    profile: bool,
    /// The credential that is kept there.
    credential: Revision,
}

impl Left {
    /// Whether there may be a credential: a store that cannot be read may have one.
    fn has_credential(&self) -> bool {
        !self.credential.is_absent()
    }
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
        let found = self.target.read_to_change()?;
        let of = |store: StoreKind, profile| Left {
            credential: self.stores.reader(&store).look(self.name).revision,
            store,
            profile,
        };
        if let Some(profile) = found.config.profiles.get(self.name) {
            return Ok(of(profile.store.clone(), true));
        }
        let (name, shown) = (self.name, self.target.config.display());
        let unknown = match found.content {
            Content::Missing { .. } => format!("{shown}: there is no such file"),
            Content::Empty | Content::Text => format!("there is no profile {name} in {shown}"),
        };
        match self.removals.begun(name) {
            Ok(Some(removal)) if removal.config == self.config() => Ok(of(removal.store, false)),
            Ok(_) => Err(fail(Exit::Config, format!("{NOTHING}: {unknown}"))),
            Err(error) => {
                let why = Causes(&error);
                Err(fail(Exit::Config, format!("{NOTHING}: {unknown}; {why}")))
            }
        }
    }

    /// Keeps other programs from changing what is kept of the profile. Where there is no state, nothing of it is kept, and
    /// none is made for the lock.
    fn lock(&self, left: &Left) -> Result<Option<ProfileLock>, Exit> {
        if !left.has_credential() && !self.target.state.exists() {
            return Ok(None);
        }
        let lock = self.stores.lock(self.name).map_err(|error| {
            let what = format!("{NOTHING}: {}", Causes(&error));
            fail(exit_of(&error), what)
        })?;
        Ok(Some(lock))
    }

    /// The configuration as it is written down.
    fn config(&self) -> std::path::PathBuf {
        settings::real_path(&self.target.config)
    }

    /// What will be done, for a person.
    fn sentence(&self, left: &Left) -> String {
        let place = || self.stores.store(&left.store).place_of(self.name);
        let (name, config) = (self.name, self.target.config.display());
        match (left.profile, left.has_credential()) {
            (true, true) => {
                let place = place();
                format!(
                    "this removes the profile {name} from {config} and its credential from {place}"
                )
            }
            (true, false) => format!(
                "this removes the profile {name} from {config}; {}",
                self.no_credential(left)
            ),
            (false, true) => {
                let place = place();
                format!(
                    "this removes the credential of the profile {name} from {place}, which an interrupted removal from {config} has left there"
                )
            }
            (false, false) => format!(
                "this removes the last trace of the profile {name}, which an interrupted removal from {config} has left; {}",
                self.no_credential(left)
            ),
        }
    }

    /// What was done, for a person.
    fn result(&self, left: &Left) -> String {
        const KEY: &str = "its key at the issuer is still valid until it is deleted there";
        let (name, config) = (self.name, self.target.config.display());
        if left.has_credential() {
            return format!("{name} is removed from this machine; {KEY}");
        }
        format!(
            "{name} is removed from {config}; {}, so if one is stored elsewhere, it is still there, and {KEY}",
            self.no_credential(left)
        )
    }

    fn no_credential(&self, left: &Left) -> String {
        let about = self.stores.store(&left.store).about();
        let place = match about.in_state {
            true => self.target.state.display().to_string(),
            false => about.title(),
        };
        format!("there is no credential of it in {place}")
    }

    fn carry_out(&self, left: &Left, lock: Option<&ProfileLock>) -> Result<(), NotRemoved> {
        if left.profile {
            self.remove_profile(left, lock)?;
        }
        let Some(lock) = lock else { return Ok(()) };
        self.stores
            .store(&left.store)
            .remove(lock, &left.credential)
            .and_then(|_| self.removals.end(lock))
            .map_err(|error| {
                let what = format!(
                    "the profile is removed, but its credential perhaps not; to go on, run this again: {}",
                    Causes(&error)
                );
                NotRemoved::Credential(fail(exit_of(&error), what))
            })
    }

    /// Writes down what is meant, and takes the profile out of the configuration.
    fn remove_profile(&self, left: &Left, lock: Option<&ProfileLock>) -> Result<(), NotRemoved> {
        let refused = |error: &StoreError| {
            let what = format!("{NOTHING}: {}", Causes(error));
            NotRemoved::Nothing(fail(exit_of(error), what))
        };
        // While nothing has begun, a store that cannot be changed now is no interruption.
        let probed = self.stores.store(&left.store).probe(self.name);
        probed.map_err(|error| refused(&error))?;
        let removal = Removal {
            store: left.store.clone(),
            config: self.config(),
        };
        // Without a credential the profile goes in one step, and nothing is left for another removal.
        if let Some(lock) = lock.filter(|_| left.has_credential()) {
            self.removals
                .begin(lock, &removal)
                .map_err(|error| refused(&error))?;
        }
        let without = |text: &str| config::remove_profile(text, self.name);
        match self.target.change(&Content::Text, without) {
            Ok(()) => Ok(()),
            Err(error) if error.is_changed() => {
                let what = "the profile is removed, but perhaps not for long, and its credential is still there; run this again";
                Err(NotRemoved::Credential(error.tell(what)))
            }
            Err(error) => {
                // What it says is true all the same: the profile is in the configuration, and counts.
                let _: Option<Result<(), StoreError>> = lock.map(|lock| self.removals.end(lock));
                Err(NotRemoved::Nothing(error.tell(NOTHING)))
            }
        }
    }
}

const fn exit_of(error: &StoreError) -> Exit {
    if error.kind.is_of_another_writer() {
        Exit::Later
    } else {
        Exit::Config
    }
}
