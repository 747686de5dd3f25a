//! The configuration and the state folder that a command works on.

pub(super) mod lines;
pub(super) mod surroundings;
mod systems;
mod usual;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::systems::{Machine, TargetUse};

use super::output::{Exit, fail, print_note};
use super::prompt;
use crate::causes::Causes;
use crate::command_line;
use crate::config::{Config, EditError, StoreKind};
use crate::paths::{Env, SYSTEM_CONFIG, SYSTEM_STATE};
use crate::process::user::{ServiceGroups, with_rights_of};
use crate::profile::ProfileName;
use crate::settings::{
    self, ConfigError, ConfigFile, ConfigLock, Content, FileReaders, LockError, WriteError,
};
use crate::store::{Removals, SourceContext, Stores};

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
    /// Whether the user named this file; else it is the usual one, which may not exist yet.
    pub(super) config_named: bool,
    pub(super) state_named: bool,
    /// The owner of new files: our user, or for a system's state its daemon's user.
    pub(super) owner: u32,
    /// The user that the daemon runs as, who must be able to read the files that the configuration names.
    pub(super) daemon: u32,
    /// The groups that the daemon's unit gives it.
    pub(super) groups: ServiceGroups,
    pub(super) uid: u32,
    pub(super) readers: FileReaders,
    pub(super) system: bool,
    /// Whether systemd manages this machine's services.
    pub(super) has_systemd: bool,
    /// The surroundings that read-only sources of credentials need.
    pub(super) surroundings: Arc<SourceContext>,
}

impl TargetArgs {
    /// Finds the target of a command that only reads: that of the user's daemon. For root without a configuration of
    /// its own, that of the system's daemon.
    pub(super) fn find(&self, env: &Env) -> Result<Target, Exit> {
        // A link counts even if its target is missing: another configuration must not replace one that is unreachable.
        self.find_with(env, TargetUse::Look, |path| path.symlink_metadata().is_ok())
    }

    /// Finds the target of the daemon that is to run.
    pub(super) fn find_to_run(&self, env: &Env) -> Result<Target, Exit> {
        self.find_with(env, TargetUse::Run, |path| path.symlink_metadata().is_ok())
    }

    /// Finds the target of a command that changes it. This is never the system's unless that was named, even if the
    /// user has no configuration yet and would read the system's.
    pub(super) fn find_own(&self, env: &Env) -> Result<Target, Exit> {
        self.find_with(env, TargetUse::Change, |_| false)
    }

    fn find_with(
        &self,
        env: &Env,
        by: TargetUse,
        exists: fn(&Path) -> bool,
    ) -> Result<Target, Exit> {
        let found = self.look_for(env, by, exists);
        if let Ok(target) = &found {
            command_line::name_target(target.options(), target.line_of_reload());
        }
        found
    }

    fn look_for(
        &self,
        env: &Env,
        by: TargetUse,
        exists: fn(&Path) -> bool,
    ) -> Result<Target, Exit> {
        let uid = env.uid;
        let has_systemd = Path::new("/run/systemd/system").is_dir();
        let state = env.state_dir(self.state.as_deref());
        let config = env.config_file(self.config.as_deref(), exists);
        let config_named = self.config.is_some() || env.config.is_some();
        if self.system || self.means_the_systems(env, by, &config, config_named) {
            let machine = Machine::look(None);
            return Ok(Target {
                config: SYSTEM_CONFIG.into(),
                state: SYSTEM_STATE.into(),
                config_named: config_named && !self.system,
                state_named: false,
                owner: machine.owner(uid),
                daemon: machine.daemon(uid),
                groups: systems::service_groups(Path::new("/")),
                uid,
                readers: FileReaders::Everyone,
                system: true,
                has_systemd,
                surroundings: surroundings::of_command(env, machine.daemon(uid), true),
            });
        }
        Ok(Target {
            config,
            state: state.map_err(|error| fail(Exit::Config, error))?,
            config_named,
            state_named: self.state.is_some(),
            owner: uid,
            daemon: uid,
            groups: ServiceGroups::default(),
            uid,
            readers: FileReaders::Owner,
            system: false,
            has_systemd,
            surroundings: surroundings::of_command(env, uid, false),
        })
    }

    /// Whether root means the system's daemon: the command is on the system's configuration and names no other state.
    fn means_the_systems(&self, env: &Env, by: TargetUse, config: &Path, named: bool) -> bool {
        if env.uid != 0 || !systems::is_config(config) || (by == TargetUse::Change && !named) {
            return false;
        }
        // A named state is not the caller's usual one.
        let own = Env {
            state_directory: None,
            ..env.clone()
        };
        let own_state = own.state_dir(None).ok();
        systems::is_state(self.state.as_deref(), env)
            && Machine::look(own_state.as_deref()).is_meant(by)
    }
}

fn tell_faults(unusable: &ConfigError) -> Exit {
    for line in unusable.lines() {
        fail(Exit::Config, line);
    }
    Exit::Config
}

impl Target {
    /// Runs this as the user that the daemon runs as, so that the kernel decides what that user can read. Runs it as
    /// ourselves if this process may not become that user.
    pub(super) fn as_daemon<T: Send>(&self, work: impl Fn() -> T + Sync) -> T {
        if self.daemon == self.uid {
            return work();
        }
        with_rights_of(self.daemon, &self.groups, &work).unwrap_or_else(|_| work())
    }

    /// The stores of this state folder.
    pub(super) fn stores(&self) -> Stores {
        Stores::new(&self.state, self.owner)
            .in_surroundings(Arc::clone(&self.surroundings))
            .telling_waits(|name, holder| tell_wait(&format!("the credential of {name}"), holder))
    }

    /// Reads the configuration as a starting daemon would, and prints every fault.
    pub(super) fn read_config(&self) -> Result<Config, Exit> {
        let read = self.as_daemon(|| settings::read(&self.config, self.daemon));
        let begun = read.and_then(|found| found.usable_at_start(&self.config, self.config_named));
        begun
            .map(|found| found.config)
            .map_err(|unusable| tell_faults(&unusable))
    }

    /// Reads the current configuration with its text, for a command that changes it. A missing file counts as empty.
    pub(super) fn read_to_change(&self) -> Result<ConfigFile, Exit> {
        self.read_after(&Content::Missing { link: None })
            .map_err(|unusable| tell_faults(&unusable))
    }

    /// Reads the current configuration. Refuses if the file has disappeared since `before` was read.
    pub(super) fn read_after(&self, before: &Content) -> Result<ConfigFile, ConfigError> {
        settings::read(&self.config, self.uid)?.to_change(&self.config, before)
    }

    /// Locks the configuration, so that other programs cannot change it. `so` is the beginning of the message if the
    /// lock cannot be taken.
    pub(super) fn lock(&self, so: &str) -> Result<ConfigLock, Exit> {
        let waits = |holder: Option<&str>| tell_wait(&self.config.display().to_string(), holder);
        let lock = settings::lock_config(&self.config, self.uid, self.readers, waits);
        let lock = lock.map_err(|error| {
            let exit = match &error {
                LockError::Busy { .. } => Exit::Later,
                LockError::Io(error) => exit_of(error),
            };
            fail(exit, format!("{so}: {}", Causes(&error)))
        })?;
        if !lock.is_exclusive() {
            print_note(format!(
                "warning: {} is on a file system without locks: let no two programs change it at once",
                self.config.display()
            ));
        }
        Ok(lock)
    }

    /// Reads the configuration and writes it changed at once. Refuses if the file has disappeared since `before` was
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

    /// Refuses to enrol a profile in this store while an interrupted removal of its name has left a credential in
    /// another: the enrolment would overwrite the record of that removal.
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
}

/// Tells a person why nothing happens for a while.
fn tell_wait(what: &str, holder: Option<&str>) {
    if prompt::possible() {
        let holder = holder.unwrap_or("it");
        print_note(format!(
            "another jetond is changing {what}: waiting for {holder}"
        ));
    }
}

/// The exit code of a command that could not write a configuration: there may be room later.
fn exit_of(error: &WriteError) -> Exit {
    if error.is_full() {
        Exit::Later
    } else {
        Exit::Config
    }
}

/// The reason why a configuration was not changed, or not durably.
#[derive(Debug)]
pub(super) enum ChangeError {
    /// It cannot be read.
    Unusable(ConfigError),
    /// It cannot be edited in this way.
    Edit(String),
    /// It cannot be written.
    Write(WriteError),
}

impl ChangeError {
    /// Whether it is changed despite the error, but may not survive a power failure.
    pub(super) const fn is_changed(&self) -> bool {
        matches!(self, Self::Write(error) if error.replaced)
    }

    /// Prints the consequence and the reason.
    pub(super) fn tell(&self, what: &str) -> Exit {
        match self {
            Self::Unusable(unusable) => fail(Exit::Config, format!("{what}: {unusable}")),
            Self::Edit(why) => fail(Exit::Config, format!("{what}: {why}")),
            Self::Write(error) => fail(exit_of(error), format!("{what}: {}", Causes(error))),
        }
    }
}
