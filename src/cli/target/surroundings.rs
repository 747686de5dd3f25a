//! The surroundings that the sources of credentials need, which depend on the daemon that reads them.

use std::path::PathBuf;
use std::sync::Arc;

use crate::paths::Env;
use crate::process::manager::SystemdManager;
use crate::store::{NoCommands, SourceContext};

/// The folder below the runtime folder in which systemd passes credentials to our service.
const OF_SERVICE: &str = "credentials/jetond.service";

/// The surroundings for a command that reads what this user's daemon would read. systemd passes credentials only to the
/// service; while it runs, its user finds them in the usual folder.
pub(super) fn of_command(env: &Env, daemon: u32, is_system: bool) -> Arc<SourceContext> {
    let runtime = match is_system {
        true => Some(PathBuf::from("/run")),
        false => env.xdg_runtime_dir.clone(),
    };
    let passed = runtime.map(|runtime| runtime.join(OF_SERVICE));
    let usual = passed.filter(|folder| folder.is_dir());
    Arc::new(SourceContext {
        credentials: env.credentials_directory.clone().or(usual),
        variables: env.for_commands.clone(),
        no_commands: no_commands(daemon, is_system),
    })
}

/// The surroundings of the daemon that this process is about to be.
pub(in super::super) fn of_daemon(env: &Env, is_system: bool) -> Arc<SourceContext> {
    let exec_pid = env.systemd_exec_pid.as_deref();
    let is_notified = env.notify.is_some();
    let is_unit =
        SystemdManager::of_this_process(exec_pid, is_notified) == Some(SystemdManager::System);
    Arc::new(SourceContext {
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
