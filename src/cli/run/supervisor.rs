//! The daemon of one command, in a process of its own. It is restarted while the command runs, and stopped with it.

use std::ffi::OsString;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{sleep, timeout};

use super::super::output::{Exit, fail, print_note};
use super::run_folder::RunFolder;
use crate::process::children::{self, ChildRegistration};
use crate::process::program::{SERVICE_VARIABLES, this_program};

/// Time limit for the daemon's start: its program and its configuration may be on a slow file system.
const START: Duration = Duration::from_secs(30);

/// Time limit for its end: longer than its drain of running requests.
const END: Duration = Duration::from_secs(6);

/// The shortest and the longest pause before a daemon that has ended is started again.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// The daemon's process.
pub(super) struct Daemon<'a> {
    place: &'a RunFolder,
    args: &'a [OsString],
    quiet: bool,
    child: Child,
    _owned: Option<ChildRegistration>,
    /// The other end of its standard input. The system closes it when this process ends for any reason.
    lifeline: Option<ChildStdin>,
}

// === impl Daemon ===

impl<'a> Daemon<'a> {
    /// Starts the daemon; with `quiet` it logs only warnings.
    pub(super) fn start(
        place: &'a RunFolder,
        args: &'a [OsString],
        quiet: bool,
    ) -> io::Result<Self> {
        let (mut child, owned) = spawn(place, args, quiet)?;
        let lifeline = child.stdin.take();
        Ok(Self {
            place,
            args,
            quiet,
            child,
            _owned: owned,
            lifeline,
        })
    }

    /// Waits until the daemon serves. If it ends instead, it has printed the reason, and this returns its exit code.
    pub(super) async fn serves(&mut self) -> Result<(), Exit> {
        let look = async {
            // The daemon makes the admin socket after the token socket.
            while UnixStream::connect(&self.place.admin).await.is_err() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! { biased;
            status = self.child.wait() => Err(match status.map(Exit::of) {
                Ok(Exit::Child(0)) | Err(_) => fail(Exit::Failed, "the daemon ended before it served"),
                Ok(exit) => exit,
            }),
            served = timeout(START, look) => {
                served.map_err(|_| fail(Exit::Later, "the daemon did not start in time"))
            }
        }
    }

    /// Starts the daemon again whenever it ends, and never returns. Reports repeated ends of the same kind once.
    pub(super) async fn keep(&mut self) {
        let [shortest, longest] = AGAIN;
        let (mut pause, mut told) = (shortest, None);
        loop {
            let ended = match timeout(longest, self.child.wait()).await {
                Ok(ended) => ended,
                Err(_) => {
                    // The daemon has run for long enough.
                    (pause, told) = (shortest, None);
                    self.child.wait().await
                }
            };
            let ended = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
            if told.as_ref() != Some(&ended) {
                print_note(format!(
                    "the daemon has ended ({ended}); the next one starts in {} s",
                    pause.as_secs()
                ));
                told = Some(ended);
            }
            self.start_again(&mut pause).await;
        }
    }

    /// Starts the daemon as soon as possible, and reports once why it cannot.
    async fn start_again(&mut self, pause: &mut Duration) {
        let [_, longest] = AGAIN;
        let mut told = false;
        loop {
            sleep(*pause).await;
            *pause = longest.min(*pause * 2);
            let why = match self.place.restore() {
                Ok(()) => match spawn(self.place, self.args, self.quiet) {
                    Ok((mut child, owned)) => {
                        self.lifeline = child.stdin.take();
                        self.child = child;
                        self._owned = owned;
                        return;
                    }
                    Err(error) => format!("it could not be started: {error}"),
                },
                Err(error) => format!(
                    "the sockets' folder {} is missing and cannot be created again: the command has no tokens until it can ({error})",
                    self.place.folder().display()
                ),
            };
            if !told {
                print_note(why);
                told = true;
            }
        }
    }

    /// Stops the daemon.
    pub(super) async fn stop(mut self) -> io::Result<()> {
        drop(self.lifeline.take());
        match timeout(END, self.child.wait()).await {
            Ok(ended) => ended.map(drop),
            Err(_) => self.child.kill().await,
        }
    }
}

fn spawn(
    place: &RunFolder,
    args: &[OsString],
    quiet: bool,
) -> io::Result<(Child, Option<ChildRegistration>)> {
    place.open()?;
    let mut command = Command::new(this_program()?);
    command
        .arg0("jetond")
        .args(args)
        .arg("--stop-at-eof")
        .arg("--socket")
        .arg(&place.socket)
        .arg("--admin-socket")
        .arg(&place.admin)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    // The service manager's variables are only for the process that it started, and for the command.
    for name in SERVICE_VARIABLES {
        command.env_remove(name);
    }
    if quiet {
        command.env("JETON_LOG", "warn");
    }
    children::start(|| command.spawn(), Child::id)
}
