//! `jetond setup socket`: prints the drop-in with which systemd makes the token socket as configured.

use super::super::output::{Exit, fail, print};
use super::super::socket_unit;
use super::super::target::{Target, TargetArgs};
use crate::config::SocketMode;
use crate::daemon::sockets::drop_in::DropIn;
use crate::daemon::sockets::unit::SocketMisfit;
use crate::paths::Env;
use crate::process::logging;
use crate::process::manager::SystemdManager;

pub(super) fn socket(args: &TargetArgs, env: &Env) -> Result<(), Exit> {
    let target = args.find(env)?;
    let config = target.read_config()?;
    if let Some(doubtful) = config.group_in_doubt().filter(|_| config.waits_for_group()) {
        let (path, remedy) = (target.config.display(), doubtful.remedy());
        let why = format!("{path}:{doubtful}, so it has no number for systemd; {remedy}");
        return Err(fail(Exit::Config, why));
    }
    let mode = config.socket;
    let manager = socket_unit::manager(&target);
    if let Some(why) = kept_out(manager, env, mode) {
        return Err(fail(Exit::Config, why));
    }
    let note = note(&target, mode);
    print(&format!("{note}{}", DropIn::new(mode, manager).script()));
    Ok(())
}

/// The reason why no drop-in can admit other users: a user's runtime folder excludes them.
fn kept_out(manager: SystemdManager, env: &Env, mode: SocketMode) -> Option<String> {
    let places = socket_unit::places(manager, env).ok()?;
    let unfit = SocketMisfit::of_folders(&places.token, mode).filter(SocketMisfit::is_above)?;
    Some(format!("{}: {}", unfit.found(), unfit.remedy(manager)))
}

fn note(target: &Target, mode: SocketMode) -> String {
    let (mode, config) = (mode.as_str(), target.config.display().to_string());
    // A shell reads the text, and a line end would end the comment.
    let config = logging::printable(&config);
    format!("# The socket that systemd makes, for [socket] mode = \"{mode}\" in {config}:\n")
}
