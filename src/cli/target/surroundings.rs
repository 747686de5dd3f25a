//! What of this process's surroundings the sources of credentials need, by which daemon reads them.

use std::path::PathBuf;
use std::sync::Arc;

use crate::paths::Env;
use crate::process::manager::Manager;
use crate::store::{NoCommands, Surroundings};

/// The folder below that of the runtime in which systemd passes credentials to the service of ours.
const OF_SERVICE: &str = "credentials/jetond.service";

/// Those of a command, which looks at what the daemon of this user would read. systemd passes credentials to the service
/// alone; while it runs, its user finds them in the usual place.
pub(super) fn of_command(env: &Env, daemon: u32, is_system: bool) -> Arc<Surroundings> {
    let runtime = match is_system {
        true => Some(PathBuf::from("/run")),
        false => env.xdg_runtime_dir.clone(),
    };
    let passed = runtime.map(|runtime| runtime.join(OF_SERVICE));
    let usual = passed.filter(|folder| folder.is_dir());
    Arc::new(Surroundings {
        credentials: env.credentials_directory.clone().or(usual),
        variables: env.for_commands.clone(),
        no_commands: no_commands(daemon, is_system),
    })
}

/// Those of the daemon that this process is about to be.
pub(in super::super) fn of_daemon(env: &Env, is_system: bool) -> Arc<Surroundings> {
    let exec_pid = env.systemd_exec_pid.as_deref();
    let is_notified = env.notify.is_some();
    let is_unit = Manager::of_this_process(exec_pid, is_notified) == Some(Manager::System);
    Arc::new(Surroundings {
        credentials: env.credentials_directory.clone(),
        variables: env.for_commands.clone(),
        no_commands: no_commands(env.uid, is_system || is_unit),
    })
}

fn no_commands(daemon: u32, is_system: bool) -> Option<NoCommands> {
    match (is_system, daemon) {
        (true, _) => Some(NoCommands::SystemUnit),
        (false, 0) => Some(NoCommands::Root),
        (false, _) => None,
    }
}
