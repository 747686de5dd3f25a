//! `jetond run`: the daemon in the foreground.

use std::path::{Path, PathBuf};

use super::output::{Exit, fail, fail_with};
use super::target::TargetArgs;
use crate::daemon::logging::{self, LogFormat};
use crate::daemon::{self, Options, StartError, listener::ListenError};
use crate::paths::Env;

/// The arguments of `jetond run`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The token socket
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The admin socket
    #[arg(long, value_name = "PATH")]
    admin_socket: Option<PathBuf>,
    /// What the log looks like; JETON_LOG says how much of it there is (default: info)
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    log_format: LogFormat,
}

pub(super) fn run(args: &RunArgs, env: &Env) -> Exit {
    if let Err(error) = logging::start(args.log_format, env.log.as_deref(), env.no_color) {
        return fail(Exit::Usage, error);
    }
    let target = match args.target.find(env) {
        Ok(target) => target,
        Err(exit) => return exit,
    };
    let places = match env.sockets(
        args.socket.as_deref(),
        args.admin_socket.as_deref(),
        Path::is_dir,
    ) {
        Ok(places) => places,
        Err(error) => return fail(Exit::Config, error),
    };
    let options = Options {
        config: target.config,
        state: target.state,
        places,
        uid: env.uid,
        notify: env.notify,
        listen_names: env.listen_names.clone(),
    };
    match daemon::run(&options) {
        Ok(()) => Exit::Done,
        Err(StartError::Config(unusable)) => {
            for line in unusable.lines() {
                fail(Exit::Config, line);
            }
            Exit::Config
        }
        Err(StartError::Listen(error @ ListenError::InUse(_))) => fail_with(Exit::Later, &error),
        Err(StartError::Listen(error)) => fail_with(Exit::Config, &error),
        Err(StartError::Passed(error)) => fail_with(Exit::Config, &error),
        Err(error) => fail_with(Exit::Failed, &error),
    }
}
