//! A service manager: it holds both sockets, passes them to one daemon after the other, and receives their
//! notifications.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::Command;

use super::TestEnv;
use super::daemon::{Daemon, PATIENCE};

/// The manager. Dropping it leaves the sockets in place, like those of a manager that has passed them on.
pub(crate) struct Manager {
    heard: UnixDatagram,
    sockets: [UnixListener; 2],
}

impl Manager {
    /// Binds both sockets where a daemon of this environment would, and a socket for notifications.
    pub(crate) fn new(env: &TestEnv) -> Self {
        let sockets = ["run/jeton/jeton.sock", "run/jeton-admin/admin.sock"].map(|path| {
            let path = env.path(path);
            let folder = path.parent().unwrap();
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(folder)
                .unwrap();
            UnixListener::bind(path).unwrap()
        });
        Self {
            heard: hear(env),
            sockets,
        }
    }

    /// Starts a daemon like systemd, without waiting.
    pub(crate) fn start(&self, env: &TestEnv) -> Daemon {
        self.start_with(env, &[])
    }

    /// The same, with more variables.
    pub(crate) fn start_with(&self, env: &TestEnv, more: &[(&str, &Path)]) -> Daemon {
        let [tokens, admin] = self.sockets.each_ref().map(|s| s.try_clone().unwrap());
        let mut command = passing(env, "jeton:admin");
        command.env("NOTIFY_SOCKET", env.path("notify"));
        command.envs(more.iter().copied());
        env.spawn_passing(command, [tokens.into(), admin.into()])
    }

    /// Returns the daemon's next notification.
    pub(crate) fn next_notification(&self) -> Notification {
        next(&self.heard)
    }

    /// Waits for a notification with this line, and skips all others.
    pub(crate) fn wait_for_notification(&self, line: &str) -> Notification {
        loop {
            let said = self.next_notification();
            if said.0.iter().any(|said| said == line) {
                return said;
            }
        }
    }
}

/// A notification: its assignments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Notification(pub(crate) Vec<String>);

impl Notification {
    /// Returns the value of a variable.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter().filter_map(|line| line.split_once('='));
        pairs.find(|(n, _)| *n == name).map(|(_, value)| value)
    }
}

/// Binds a socket for `NOTIFY_SOCKET`: `notify` in the environment.
pub(crate) fn hear(env: &TestEnv) -> UnixDatagram {
    let heard = UnixDatagram::bind(env.path("notify")).unwrap();
    heard.set_read_timeout(Some(PATIENCE)).unwrap();
    heard
}

/// Returns the next notification at such a socket.
pub(crate) fn next(heard: &UnixDatagram) -> Notification {
    let mut bytes = [0; 4_096];
    let n = match heard.recv(&mut bytes) {
        Ok(n) => n,
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
            panic!("the daemon sent no notification")
        }
        Err(e) => panic!("{e}"),
    };
    let text = String::from_utf8(bytes[..n].to_vec()).unwrap();
    Notification(text.lines().map(str::to_owned).collect())
}

/// Returns a daemon command that takes its standard input and output as two inherited sockets with these names.
pub(crate) fn passing(env: &TestEnv, names: &str) -> Command {
    let mut command = env.command("/bin/sh");
    command
        .args([
            "-c",
            "exec 3<&0 4<&1 </dev/null >&2; export LISTEN_PID=${PID:-$$}; exec \"$0\" run",
            env!("CARGO_BIN_EXE_jetond"),
        ])
        .env("LISTEN_FDS", "2")
        .env("LISTEN_FDNAMES", names);
    command
}

impl TestEnv {
    /// Starts a daemon with such a command, without waiting.
    pub(crate) fn spawn_passing(&self, mut command: Command, sockets: [OwnedFd; 2]) -> Daemon {
        let [first, second] = sockets;
        command.stdin(first).stdout(second);
        self.spawn_as_it_is(command)
    }
}
