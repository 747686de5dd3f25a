//! Which configuration and which state a command works on.

pub(super) mod lines;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::output::{Exit, fail, tell};
use crate::causes::Causes;
use crate::config::{Config, EditError, StoreKind};
use crate::paths::{Env, SYSTEM_CONFIG, SYSTEM_STATE};
use crate::profile::ProfileName;
use crate::settings::{self, ConfigLock, Content, Found, LockError, Readers, Unusable, WriteError};
use crate::store::{Removals, Stores};

/// Which configuration and state.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct TargetArgs {
    /// The configuration file
    #[arg(long, value_name = "PATH")]
    pub(super) config: Option<PathBuf>,
    /// The state folder, which holds the credentials
    #[arg(long, value_name = "PATH")]
    pub(super) state: Option<PathBuf>,
    /// The system's daemon: /etc/jeton and /var/lib/jeton
    #[arg(long, conflicts_with_all = ["config", "state"])]
    pub(super) system: bool,
}

/// A configuration file and a state folder.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) config: PathBuf,
    pub(super) state: PathBuf,
    /// Whether somebody named this very file; else it is the usual one, which may not be there yet.
    pub(super) config_named: bool,
    pub(super) state_named: bool,
    /// Whose new files are: ours, but for a system's state, which is its daemon's.
    pub(super) owner: u32,
    pub(super) uid: u32,
    pub(super) readers: Readers,
    pub(super) system: bool,
}

impl TargetArgs {
    /// Finds those that the user's daemon reads.
    pub(super) fn find(&self, env: &Env) -> Result<Target, Exit> {
        // A link counts wherever it leads: another configuration must not take the place of one that is unreachable.
        self.find_with(env, |path| path.symlink_metadata().is_ok())
    }

    /// Finds those that a command may change: never the system's unless that was asked for, also where the user has none
    /// yet and would read the system's.
    pub(super) fn find_own(&self, env: &Env) -> Result<Target, Exit> {
        self.find_with(env, |_| false)
    }

    fn find_with(&self, env: &Env, exists: fn(&Path) -> bool) -> Result<Target, Exit> {
        let uid = env.uid;
        if self.system {
            let state = PathBuf::from(SYSTEM_STATE);
            let owner = state.metadata().map_or(uid, |meta| meta.uid());
            let (config, readers) = (SYSTEM_CONFIG.into(), Readers::Everyone);
            return Ok(Target {
                config,
                state,
                config_named: false,
                state_named: false,
                owner,
                uid,
                readers,
                system: true,
            });
        }
        let state = env
            .state_dir(self.state.as_deref())
            .map_err(|error| fail(Exit::Config, error))?;
        let config = env.config_file(self.config.as_deref(), exists);
        Ok(Target {
            config,
            state,
            config_named: self.config.is_some() || env.config.is_some(),
            state_named: self.state.is_some(),
            owner: uid,
            uid,
            readers: Readers::Owner,
            system: false,
        })
    }
}

fn tell_faults(unusable: &Unusable) -> Exit {
    for line in unusable.lines() {
        fail(Exit::Config, line);
    }
    Exit::Config
}

impl Target {
    /// The stores of this state.
    pub(super) fn stores(&self) -> Stores {
        Stores::new(&self.state, self.owner)
    }

    /// The configuration that a daemon would begin with, with every fault told.
    pub(super) fn read_config(&self) -> Result<Config, Exit> {
        let read = settings::read(&self.config, self.uid);
        let begun = read.and_then(|found| found.to_begin_with(&self.config, self.config_named));
        begun
            .map(|found| found.config)
            .map_err(|unusable| tell_faults(&unusable))
    }

    /// The configuration as it is now, with its text, for a command that changes it: a file that is not there yet will be
    /// made.
    pub(super) fn read_to_change(&self) -> Result<Found, Exit> {
        self.read_after(&Content::Missing { link: None })
            .map_err(|unusable| tell_faults(&unusable))
    }

    /// The configuration as it is now, unless it has gone since `before` was read.
    pub(super) fn read_after(&self, before: &Content) -> Result<Found, Unusable> {
        settings::read(&self.config, self.uid)?.to_change(&self.config, before)
    }

    /// Keeps other programs from changing the configuration as long as the lock is held. `so` says what follows when the
    /// lock cannot be had.
    pub(super) fn lock(&self, so: &str) -> Result<ConfigLock, Exit> {
        let lock = settings::lock_config(&self.config, self.uid, self.readers);
        let lock = lock.map_err(|error| {
            let exit = match error {
                LockError::Busy { .. } => Exit::Later,
                LockError::Io(_) => Exit::Config,
            };
            fail(exit, format!("{so}: {}", Causes(&error)))
        })?;
        if !lock.is_exclusive() {
            tell(format!(
                "warning: {} is on a file system without locks: let no two programs change it at once",
                self.config.display()
            ));
        }
        Ok(lock)
    }

    /// Reads the configuration and writes it changed, without a pause in between, unless it has gone since `before` was
    /// read.
    pub(super) fn change(
        &self,
        before: &Content,
        edit: impl FnOnce(&str) -> Result<String, EditError>,
    ) -> Result<(), ChangeError> {
        let found = self.read_after(before).map_err(ChangeError::Unusable)?;
        let text = edit(&found.text)
            .map_err(|error| ChangeError::Edit(format!("{}: {error}", self.config.display())))?;
        settings::write_config(&self.config, &text, self.uid, self.readers)
            .map_err(ChangeError::Write)
    }

    /// The configuration that the user's daemon reads, if it is another one with this state.
    pub(super) fn usual_config_of_state(&self, env: &Env) -> Option<Config> {
        let state = env.state_dir(None).ok()?;
        let usual = env.config_file(None, |path| path.symlink_metadata().is_ok());
        let is_other = settings::real_path(&usual) != settings::real_path(&self.config);
        let is_there = settings::real_path(&state) == settings::real_path(&self.state);
        let found = || settings::read(&usual, self.uid).ok();
        (is_other && is_there)
            .then(found)?
            .map(|found| found.config)
    }

    /// Refuses to enrol a profile in this store while an interrupted removal of its name has left a credential in another:
    /// what is written down of that removal would be lost.
    pub(super) fn refuse_to_forget(
        &self,
        name: &ProfileName,
        store: &StoreKind,
    ) -> Result<(), Exit> {
        let refuse = |why| Err(fail(Exit::Config, format!("nothing is changed: {why}")));
        match Removals::new(&self.state, self.owner).begun(name) {
            Ok(Some(removal)) if removal.store != *store => refuse(format!(
                "a removal of {name} has not ended, and its credential is in another store; first run: {}",
                self.line_of_removal(name, &removal.config)
            )),
            Ok(_) => Ok(()),
            Err(error) => refuse(Causes(&error).to_string()),
        }
    }

    /// The configuration that the user's daemon reads, if it is another one whose profile of this name has a credential
    /// where this one's would be: a store tells profiles apart by their names alone.
    pub(super) fn shares_credential(
        &self,
        env: &Env,
        name: &ProfileName,
        store: &StoreKind,
    ) -> Option<PathBuf> {
        let state = env.state_dir(None).ok()?;
        let usual = env.config_file(None, |path| path.symlink_metadata().is_ok());
        let is_other = settings::real_path(&usual) != settings::real_path(&self.config);
        let stores = self.stores();
        let is_there = if stores.store(store).about().in_state {
            settings::real_path(&state) == settings::real_path(&self.state)
        } else {
            !self.system
        };
        if !is_other || !is_there {
            return None;
        }
        let theirs = settings::read(&usual, self.uid).ok()?.config;
        let is_theirs = theirs.profiles.get(name)?.store == *store;
        let has_one = || !matches!(stores.reader(store).load(name), Ok(None));
        (is_theirs && has_one()).then_some(usual)
    }
}

/// Why a configuration was not changed, or not surely.
#[derive(Debug)]
pub(super) enum ChangeError {
    /// It cannot be read.
    Unusable(Unusable),
    /// It is not one that can be changed like this.
    Edit(String),
    /// It cannot be written.
    Write(WriteError),
}

impl ChangeError {
    /// Whether it is changed all the same, but might not outlive a power failure.
    pub(super) const fn is_changed(&self) -> bool {
        matches!(self, Self::Write(error) if error.replaced)
    }

    /// Tells what follows, and the reason.
    pub(super) fn tell(&self, what: &str) -> Exit {
        match self {
            Self::Unusable(unusable) => fail(Exit::Config, format!("{what}: {unusable}")),
            Self::Edit(why) => fail(Exit::Config, format!("{what}: {why}")),
            Self::Write(error) => fail(Exit::Config, format!("{what}: {}", Causes(error))),
        }
    }
}
