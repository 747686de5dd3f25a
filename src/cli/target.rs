//! Which configuration and which state a command works on.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::output::{Exit, fail, fail_with};
use crate::config::Config;
use crate::paths::{Env, SYSTEM_CONFIG, SYSTEM_STATE};
use crate::settings::{self, Readers, Unusable};
use crate::store::Stores;

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

fn tell_faults(unusable: Unusable) -> Exit {
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
        begun.map(|found| found.config).map_err(tell_faults)
    }

    /// The configuration that a command is about to change: a file that is not there yet will be made.
    pub(super) fn read_config_to_change(&self) -> Result<Config, Exit> {
        let read = settings::read(&self.config, self.uid);
        read.map(|found| found.config).map_err(tell_faults)
    }

    /// The configuration's text; empty when there is none yet.
    pub(super) fn config_text(&self) -> Result<String, Exit> {
        match crate::trust::open_config(&self.config, self.uid) {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| {
                fail(
                    Exit::Config,
                    format!("{} is not UTF-8", self.config.display()),
                )
            }),
            Err(untrusted) if untrusted.is_missing() => Ok(String::new()),
            Err(untrusted) => Err(fail_with(Exit::Config, &untrusted)),
        }
    }
}
