//! `jetond run -- CMD`: a daemon on a private socket for the life of a command, like `ssh-agent CMD`.
//!
//! There are three processes: the one that the user started, the daemon, and the command. The first starts and ends the
//! others. The daemon is separate because its hardening (umask, core limit, no new privileges) would affect the command
//! as well. The command keeps the terminal, the standard streams and the process group. If the first process is killed,
//! the daemon ends because its standard input closes. The command continues without it: only its user can decide what
//! it should do.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::pin::pin;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::super::output::{Exit, fail, print_note};
use super::allow;
use super::forwarded::ForwardedSignals;
use super::run_folder::RunFolder;
use super::supervisor::Daemon;
use crate::offload;
use crate::paths::Env;
use crate::policy::AllowedUsers;
use crate::process::children::{self, ChildRegistration};
use crate::process::dispositions::InheritedMask;
use crate::process::logging;
use crate::trust;

/// Exit code of env(1): the command was found but cannot be run.
const CANNOT_RUN: u8 = 126;
/// Exit code of env(1): there is no such command.
const NOT_FOUND: u8 = 127;

/// The daemon's part of the command line: all arguments before the command.
pub(super) fn daemon_args(line: &[OsString]) -> &[OsString] {
    let own = line.split(|arg| arg == "--").next().unwrap_or_default();
    own.get(1..).unwrap_or_default()
}

/// Runs the command with a daemon of its own, and ends as the command does.
pub(super) fn wrap(
    command: &[OsString],
    daemon_args: &[OsString],
    guests: &AllowedUsers,
    env: &Env,
    mask: &InheritedMask,
) -> Exit {
    // Messages that are printed while the command runs must not delay its signals.
    let _flush = logging::queue_stderr(None);
    match offload::event_loop() {
        Ok(runtime) => runtime.block_on(async {
            tokio::select! { biased;
                exit = supervise(command, daemon_args, guests, env, mask) => exit,
                () = children::reap_orphans() => Exit::Failed,
            }
        }),
        Err(error) => fail(Exit::Failed, error),
    }
}

async fn supervise(
    command: &[OsString],
    daemon_args: &[OsString],
    guests: &AllowedUsers,
    env: &Env,
    mask: &InheritedMask,
) -> Exit {
    // Must come first: a signal that ended this process later would leave its files behind.
    let mut signals = match ForwardedSignals::new() {
        Ok(signals) => signals,
        Err(error) => return fail(Exit::Failed, error),
    };
    if allow::is_forgotten(command, guests, env.uid) {
        print_note(
            "warning: if this command runs as another user, that user cannot reach its socket: jetond run --allow USER -- CMD",
        );
    }
    let place = match RunFolder::new(env, guests) {
        Ok(place) => place,
        Err(error) => {
            let what = "no private folder for the sockets can be made";
            if trust::is_full(&error) {
                return fail(Exit::Later, format!("{what} ({error}); make room there"));
            }
            let remedy = "set XDG_RUNTIME_DIR or TMPDIR to a short path of yours";
            return fail(Exit::Failed, format!("{what} ({error}); {remedy}"));
        }
    };
    let exit = match Daemon::start(&place, daemon_args, env.log.is_none()) {
        Ok(daemon) => run_beside(daemon, command, &place, &mut signals, mask).await,
        Err(error) => fail(
            Exit::Failed,
            format!("the daemon cannot be started: {error}"),
        ),
    };
    if let Err(error) = place.remove() {
        print_note(format!("the sockets' folder could not be removed: {error}"));
    }
    exit
}

/// Runs the command beside the daemon, and ends the daemon.
async fn run_beside(
    mut daemon: Daemon<'_>,
    command: &[OsString],
    place: &RunFolder,
    signals: &mut ForwardedSignals,
    mask: &InheritedMask,
) -> Exit {
    let served = tokio::select! { biased;
        ended = told_to_end(signals) => Err(ended),
        served = daemon.serves() => served,
    };
    let exit = match served.and_then(|()| spawn(command, place, mask)) {
        Ok((child, _owned)) => {
            tokio::select! { biased;
                exit = run(child, signals) => exit,
                () = daemon.keep() => Exit::Failed,
            }
        }
        Err(exit) => exit,
    };
    if let Err(error) = daemon.stop().await {
        print_note(format!("the daemon could not be ended: {error}"));
    }
    exit
}

/// Waits for a signal that ends a process, before the command has started and can handle it.
async fn told_to_end(signals: &mut ForwardedSignals) -> Exit {
    loop {
        let signal = signals.next().await.signal;
        if signal != signal_hook::consts::SIGWINCH {
            return Exit::of(ExitStatus::from_raw(signal));
        }
    }
}

/// Starts the command with the inherited signal mask, and with `SIGCHLD` at its default.
fn spawn(
    command: &[OsString],
    place: &RunFolder,
    mask: &InheritedMask,
) -> Result<(Child, Option<ChildRegistration>), Exit> {
    let Some((program, args)) = command.split_first() else {
        return Err(Exit::Usage);
    };
    let mut command = Command::new(program);
    command
        .args(args)
        .env("JETON_SOCKET", &place.socket)
        .env("JETON_ADMIN_SOCKET", &place.admin);
    children::start(|| mask.during(|| command.spawn()), Child::id).map_err(|e| {
        let code = match e.kind() {
            io::ErrorKind::NotFound => NOT_FOUND,
            _ => CANNOT_RUN,
        };
        let shown = Path::new(program).display();
        fail(Exit::Child(code), format!("{shown} cannot be run: {e}"))
    })
}

/// Waits for the command's end, and forwards the signals that are meant for it.
async fn run(mut child: Child, signals: &mut ForwardedSignals) -> Exit {
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let mut ended = pin!(child.wait());
    loop {
        tokio::select! { biased;
            status = &mut ended => {
                return match status {
                    Ok(status) => Exit::of(status),
                    Err(error) => fail(Exit::Failed, error),
                };
            }
            arrived = signals.next() => {
                let signal = Signal::from_named_raw(arrived.signal).filter(|_| arrived.sent);
                if let (Some(pid), Some(signal)) = (pid, signal) {
                    // The command may have ended already, which its exit status then shows.
                    let _: rustix::io::Result<()> = kill_process(pid, signal);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_gets_the_arguments_before_the_command() {
        for (line, expected) in [
            (&["jetond", "run", "--", "cmd"][..], &["run"][..]),
            (&["jetond", "run", "--", "cmd", "--", "more"], &["run"]),
            (
                &["jetond", "run", "--config", "c", "--", "cmd"],
                &["run", "--config", "c"],
            ),
        ] {
            let line: Vec<OsString> = line.iter().map(Into::into).collect();
            assert_eq!(daemon_args(&line), expected);
        }
    }
}
