//! `jetond run`: the daemon in the foreground, or beside a command.

mod allow;
mod forwarded;
mod run_folder;
mod supervisor;
mod wrap;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::leftover;
use super::output::{Exit, fail, fail_with};
use super::sockets;
use super::target::{Target, TargetArgs, surroundings};
use crate::daemon::{self, Options, StartError, watchdog};
use crate::offload;
use crate::paths::Env;
use crate::policy::AllowedUsers;
use crate::process::crash_loop::CrashRecord;
use crate::process::dispositions::{self, InheritedMask};
use crate::process::logging::{self, LogFormat};

/// The arguments of `jetond run`.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// The token socket
    #[arg(long, value_name = "PATH")]
    pub(super) socket: Option<PathBuf>,
    /// The admin socket
    #[arg(long, value_name = "PATH")]
    pub(super) admin_socket: Option<PathBuf>,
    /// The log format (default: auto); JETON_LOG sets the log level (default: info, or warn with CMD)
    #[arg(long, value_name = "FORMAT")]
    pub(super) log_format: Option<LogFormat>,
    /// Serve for the life of a command that the user started: leave the terminal to it, end when standard input does,
    /// and take the sockets' folders away
    #[arg(long, hide = true, requires_all = ["socket", "admin_socket"])]
    pub(super) stop_at_eof: bool,
}

/// The arguments of `jetond run`, when it is called by its name.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RunOrWrapArgs {
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// Also serve this user (name or number), for a CMD that runs as another user, for example under `setpriv` or
    /// `gosu`
    #[arg(long, value_name = "USER")]
    allow: Vec<String>,
    /// Serve on a private socket while this command runs, and exit with its code
    #[arg(last = true, value_name = "CMD", conflicts_with_all = ["socket", "admin_socket"])]
    command: Vec<OsString>,
}

// === impl RunOrWrapArgs ===

impl RunOrWrapArgs {
    /// Whether a command is to be run beside the daemon.
    pub(super) const fn has_command(&self) -> bool {
        !self.command.is_empty()
    }
}

/// Runs the daemon, or the command with a daemon. `line` is the whole command line; the command gets `mask`.
pub(super) fn run_or_wrap(
    args: &RunOrWrapArgs,
    line: &[OsString],
    env: &Env,
    mask: &InheritedMask,
    life: Option<CrashRecord>,
) -> Exit {
    let guests = match allow::guests(&args.allow) {
        Ok(guests) => guests,
        Err(exit) => return exit,
    };
    if args.has_command() {
        return wrap::wrap(&args.command, wrap::daemon_args(line), &guests, env, mask);
    }
    // Perhaps the line has an unset variable: the user did not mean a daemon that never ends.
    if line.last().is_some_and(|last| last == "--") {
        return fail(Exit::Usage, "there is no command after '--'");
    }
    if !guests.is_empty() && !args.run.stop_at_eof {
        return fail(Exit::Usage, allow::WITHOUT_COMMAND);
    }
    run_for(&args.run, guests, env, life)
}

/// Runs the daemon.
pub(super) fn run(args: &RunArgs, env: &Env, life: Option<CrashRecord>) -> Exit {
    run_for(args, AllowedUsers::default(), env, life)
}

fn run_for(args: &RunArgs, guests: AllowedUsers, env: &Env, life: Option<CrashRecord>) -> Exit {
    if args.stop_at_eof {
        // Must come first, since a job may be ended at any moment. The daemon tries it once more, and reports a
        // failure.
        let _: std::io::Result<()> = dispositions::disregard_those_of_a_job();
        // The command owns the terminal's signals and its hangup. The call fails for a group's leader, which has its
        // own session already.
        let _: rustix::io::Result<_> = rustix::process::setsid();
    }
    serve(args, guests, env, life)
}

/// Logs what interrupted commands have left. Runs on a thread of its own, since the disk of the state may hang.
fn note_leftovers(target: &Target) {
    let target = target.clone();
    // If the system refuses a thread, `jetond check` reports it later.
    let _: std::io::Result<()> =
        offload::thread("leftovers", move || leftover::note_at_start(&target));
}

fn serve(args: &RunArgs, guests: AllowedUsers, env: &Env, life: Option<CrashRecord>) -> Exit {
    let format = args.log_format.unwrap_or_default();
    // Held until the end of this function, so that messages on every way out of it are written.
    let _flush = logging::queue_stderr(Some(format));
    if let Err(error) = logging::start(format, env.log.as_deref(), env.no_color) {
        return fail(Exit::Usage, error);
    }
    let target = match args.target.find_to_run(env) {
        Ok(target) => target,
        Err(exit) => return exit,
    };
    let (socket, admin) = (args.socket.as_deref(), args.admin_socket.as_deref());
    let mut places = match sockets::find(env, socket, admin, Path::is_dir) {
        Ok(places) => places,
        Err(error) => return fail(Exit::Config, error),
    };
    if args.stop_at_eof {
        places.volume_depth = run_folder::VOLUME_DEPTH;
    }
    note_leftovers(&target);
    let options = Options {
        config: target.config,
        config_named: target.config_named,
        state: target.state,
        places,
        uid: env.uid,
        notify: env.notify.clone(),
        watchdog: watchdog::deadline(
            env.watchdog_usec.as_deref(),
            env.watchdog_pid.as_deref(),
            std::process::id(),
        ),
        listen_names: env.listen_names.clone(),
        stop_at_eof: args.stop_at_eof,
        guests,
        life,
        surroundings: surroundings::of_daemon(env, target.system),
    };
    let ended = daemon::run(&options);
    if args.stop_at_eof {
        run_folder::clear(&options.places);
    }
    match ended {
        Ok(()) => {
            options.life.iter().for_each(CrashRecord::clear);
            Exit::Done
        }
        Err(StartError::Config(unusable)) => {
            for line in unusable.lines() {
                fail(Exit::Config, line);
            }
            Exit::Config
        }
        Err(StartError::Listen(error)) if error.is_passing() => fail_with(Exit::Later, &error),
        Err(StartError::Listen(error)) => fail_with(Exit::Config, &error),
        Err(StartError::Passed(error)) => fail_with(Exit::Config, &error),
        Err(StartError::Lost(lost)) => fail_with(Exit::Later, &lost),
        Err(error) => fail_with(Exit::Failed, &error),
    }
}
