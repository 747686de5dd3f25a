//! `jetond remove`: removes a profile and its credential, and can be interrupted anywhere.
//!
//! The intent is recorded first; then the profile is removed, then the credential. The next `remove` of that name
//! continues an interrupted one, in the recorded configuration and store. If a name is neither in the configuration nor
//! recorded for it, nothing is touched.

use super::admin;
use super::moves::ProfileMoves;
use super::output::{Exit, fail, print_note, report};
use super::prompt;
use super::rotating;
use super::target::{Target, TargetArgs};
use crate::causes::Causes;
use crate::config::{self, StoreKind};
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::settings::{self, Content};
use crate::store::{ProfileLock, Removal, Removals, Revision, StoreError, Stores};

mod rotation;
mod source;
mod targets;
mod words;

const NOTHING: &str = "nothing is removed";

/// The advice for a removal while the key is being rotated.
const FORCED: &str =
    "; to remove the profile anyway, add --force, and delete its keys at the server";

/// The arguments of `jetond remove`.
#[derive(Debug, clap::Args)]
pub(super) struct RemoveArgs {
    /// The profile
    #[arg(value_parser = ProfileName::parse)]
    name: ProfileName,
    /// Remove it without asking
    #[arg(long)]
    yes: bool,
    /// Remove the profile although its key is being rotated, or its token manages another rotation; keys created for
    /// that rotation may remain at the server
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

pub(super) fn remove(args: &RemoveArgs, env: &Env) -> Exit {
    try_remove(args, env).err().unwrap_or(Exit::Done)
}

fn try_remove(args: &RemoveArgs, env: &Env) -> Result<(), Exit> {
    let target = args.target.find_own(env)?;
    let work = RemovalRun {
        name: &args.name,
        removals: Removals::new(&target.state, target.owner),
        stores: target.stores(),
        target: &target,
    };
    if let Some(source) = work.source()? {
        return work.remove_with_source(&source, args.yes, env);
    }
    let left = work.left()?;
    let rotation = work.rotation(&left);
    if let Some(open) = rotation.as_ref().filter(|_| !args.force) {
        return Err(open.refuse(&args.name, NOTHING, FORCED));
    }
    if !args.force {
        rotating::refuse_manager(&target, &args.name, NOTHING)?;
    }
    if !args.yes {
        confirm(&work.sentence(&left))?;
    }
    let done = {
        let _lock = target.lock(NOTHING)?;
        let lock = work.lock(&left)?;
        // The person may have thought about it for a while.
        if work.left()? != left {
            let what = format!(
                "{NOTHING}: the profile {} was changed meanwhile; try again",
                args.name
            );
            return Err(fail(Exit::Later, what));
        }
        let done = work.carry_out(&left, lock.as_ref());
        if let (Ok(()), Some(lock)) = (&done, &lock) {
            work.end_rotation(lock, &left.store);
        }
        done
    };
    if done.is_ok() {
        report(work.result(&left));
        if let Some(open) = rotation {
            print_note(open.left());
        }
    }
    if !matches!(done, Err(NotRemoved::Nothing(_))) {
        admin::reload(&target, env);
    }
    done.map_err(|(NotRemoved::Nothing(exit) | NotRemoved::Credential(exit))| exit)
}

/// Removes a profile whose credential has been moved into a file. The caller holds the configuration's lock.
pub(super) fn remove_moved(
    target: &Target,
    stores: &Stores,
    lock: &ProfileLock,
) -> Result<(), Exit> {
    let work = RemovalRun {
        name: lock.profile(),
        removals: Removals::new(&target.state, target.owner),
        stores: stores.clone(),
        target,
    };
    let left = work.left()?;
    let done = work.carry_out(&left, Some(lock));
    done.map_err(|(NotRemoved::Nothing(exit) | NotRemoved::Credential(exit))| exit)
}

/// Asks a person to confirm. Without a terminal the command line needs `--yes`.
fn confirm(what: &str) -> Result<(), Exit> {
    if !prompt::possible() {
        let what = format!("{NOTHING}: without a terminal this needs --yes; then {what}");
        return Err(fail(Exit::Usage, what));
    }
    print_note(what);
    if prompt::confirmed("Remove it?")? {
        Ok(())
    } else {
        Err(fail(Exit::Failed, NOTHING))
    }
}

/// The parts that a removal has to remove.
#[derive(Debug, PartialEq, Eq)]
struct Targets {
    /// The store of the credential.
    store: StoreKind,
    /// Whether the configuration names the profile; if not, an interrupted removal has taken it out.
    profile: bool,
    /// The revision of the credential there.
    credential: Revision,
    /// The store and the revision of an interrupted removal, if the profile has got another store since.
    former: Option<(StoreKind, Revision)>,
}

impl Targets {
    /// Whether there may be a credential: a store that cannot be read may have one.
    fn has_credential(&self) -> bool {
        self.kept().next().is_some()
    }

    /// The stores that may have a credential.
    fn kept(&self) -> impl Iterator<Item = &StoreKind> {
        let former = self.former.as_ref().map(|(store, kept)| (store, kept));
        let all = std::iter::once((&self.store, &self.credential)).chain(former);
        all.filter(|(_, kept)| !kept.is_absent())
            .map(|(store, _)| store)
    }
}

/// The part that was not removed. The error was printed already.
enum NotRemoved {
    /// Nothing was changed.
    Nothing(Exit),
    /// The profile is removed, but its credential may still be stored.
    Credential(Exit),
}

/// A removal.
struct RemovalRun<'a> {
    name: &'a ProfileName,
    target: &'a Target,
    stores: Stores,
    removals: Removals,
}

impl RemovalRun<'_> {
    /// Locks the profile, so that other programs cannot change its stored data. Without a state folder there is no
    /// data, and no folder is made for the lock.
    fn lock(&self, left: &Targets) -> Result<Option<ProfileLock>, Exit> {
        let has_any = left.has_credential() || left.former.is_some();
        if !has_any && !self.target.state.exists() {
            return Ok(None);
        }
        let lock = self.stores.lock(self.name).map_err(|error| {
            let what = format!("{NOTHING}: {}", Causes(&error));
            fail(exit_of(&error), what)
        })?;
        Ok(Some(lock))
    }

    /// The configuration's path as the record has it.
    fn config(&self) -> std::path::PathBuf {
        settings::real_path(&self.target.config)
    }

    fn carry_out(&self, left: &Targets, lock: Option<&ProfileLock>) -> Result<(), NotRemoved> {
        if let Some(lock) = lock {
            // The temporary files of killed writers may hold the secret that is being removed.
            self.stores.sweep(lock);
            self.end_former(left, lock)?;
            self.forget_moves(left, lock)?;
        }
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
                    "the profile is removed, but its credential may still be there; to go on, run this again: {}",
                    Causes(&error)
                );
                NotRemoved::Credential(fail(exit_of(&error), what))
            })
    }

    /// Removes the credential that an interrupted removal has left in another store. Until then its record names that
    /// store.
    fn end_former(&self, left: &Targets, lock: &ProfileLock) -> Result<(), NotRemoved> {
        let Some((store, credential)) = &left.former else {
            return Ok(());
        };
        let removed = self.stores.store(store).remove(lock, credential);
        let ended = removed.and_then(|_| self.removals.end(lock));
        ended.map_err(|error| {
            let what = format!(
                "{NOTHING} of the profile; its former credential may be; to go on, run this again: {}",
                Causes(&error)
            );
            NotRemoved::Nothing(fail(exit_of(&error), what))
        })
    }

    fn moves(&self) -> ProfileMoves<'_> {
        ProfileMoves::new(self.target, &self.stores, self.name, NOTHING)
    }

    /// Removes the copies that an interrupted move has left in other stores.
    fn forget_moves(&self, left: &Targets, lock: &ProfileLock) -> Result<(), NotRemoved> {
        let forgotten = self.moves().remove_copies(lock, &left.store);
        forgotten.map_err(|error| {
            let what = format!(
                "{NOTHING}: a copy of the credential that an interrupted move has left may still be there: {}",
                Causes(&error)
            );
            NotRemoved::Nothing(fail(exit_of(&error), what))
        })
    }

    /// Records the intent, and takes the profile out of the configuration.
    fn remove_profile(&self, left: &Targets, lock: Option<&ProfileLock>) -> Result<(), NotRemoved> {
        let refused = |error: &StoreError| {
            let what = format!("{NOTHING}: {}", Causes(error));
            NotRemoved::Nothing(fail(exit_of(error), what))
        };
        // Before the removal begins, a store that cannot be changed is reported without leaving an interrupted removal.
        let probed = self.stores.store(&left.store).probe(self.name);
        probed.map_err(|error| refused(&error))?;
        let removal = Removal {
            store: left.store.clone(),
            config: self.config(),
        };
        // Without a credential the profile is removed in one step, and a later removal has nothing to continue.
        if let Some(lock) = lock.filter(|_| left.has_credential()) {
            self.removals
                .begin(lock, &removal)
                .map_err(|error| refused(&error))?;
        }
        if let Some(lock) = lock {
            // From here on the record of the removal covers what is left.
            self.moves().end(lock).map_err(|error| refused(&error))?;
        }
        let without = |text: &str| config::remove_profile(text, self.name);
        match self.target.change(&Content::Text, without) {
            Ok(()) => Ok(()),
            Err(error) if error.is_changed() => {
                let what = "the profile is removed, but may be lost in a power failure, and its credential is still there; run this again";
                Err(NotRemoved::Credential(error.tell(what)))
            }
            Err(error) => {
                // If this fails, the record stays true: the profile is in the configuration, and is in use.
                let _: Option<Result<(), StoreError>> = lock.map(|lock| self.removals.end(lock));
                Err(NotRemoved::Nothing(error.tell(NOTHING)))
            }
        }
    }
}

const fn exit_of(error: &StoreError) -> Exit {
    if error.kind.is_for_later() {
        Exit::Later
    } else {
        Exit::Config
    }
}
