//! The log of `jetond run -- CMD`, whose standard error is shared by the supervisor, the daemon and the command.

use std::fs;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process};

use super::{fill, spawn};
use crate::support::TestEnv;
use crate::support::daemon::wait_until;

/// A command that writes its daemon's socket and its own process ID to files. It exits with 7 at SIGTERM, and ends when
/// the test fails.
fn command(env: &TestEnv) -> Command {
    let (pid, socket) = (env.path("out/pid"), env.path("out/socket"));
    let text = format!(
        "exec 2>/dev/null; trap 'exit 7' TERM; echo $JETON_SOCKET >'{1}'; echo $$ >'{0}.new'; mv '{0}.new' '{0}'; \
         while kill -0 $PPID; do sleep 0.05; done",
        pid.display(),
        socket.display()
    );
    env.jetond_command(&["run", "--", "/bin/sh", "-c", &text])
}

/// Returns the daemon of a `run -- CMD`, found by its socket.
fn daemon(env: &TestEnv) -> Pid {
    let socket = fs::read_to_string(env.path("out/socket")).unwrap();
    let stream = std::os::unix::net::UnixStream::connect(socket.trim()).unwrap();
    rustix::net::sockopt::socket_peercred(stream).unwrap().pid
}

fn supervised(log: OwnedFd, then: impl FnOnce()) {
    let env = TestEnv::new();
    let mut supervisor = spawn(&env, command(&env), Stdio::from(log));
    wait_until("the command to run", || env.path("out/pid").exists());
    then();
    let old = daemon(&env);
    kill_process(old, Signal::KILL).unwrap();
    let socket = fs::read_to_string(env.path("out/socket")).unwrap();
    wait_until("another daemon", || {
        let answer = std::os::unix::net::UnixStream::connect(socket.trim());
        answer.is_ok_and(|stream| {
            rustix::net::sockopt::socket_peercred(stream).is_ok_and(|peer| peer.pid != old)
        })
    });
    supervisor.signal(Signal::TERM);
    assert_eq!(supervisor.wait().code(), Some(7));
    let left = fs::read_dir(env.path("run")).unwrap().count();
    assert_eq!(left, 0, "the sockets' folder is removed");
}

#[test]
fn a_log_reader_that_ends_affects_only_the_log() {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    supervised(writer, || drop(reader));
}

#[test]
fn an_unread_log_delays_no_signal_and_no_restart() {
    let (_reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let other = writer.try_clone().unwrap();
    supervised(writer, || fill(&other));
}
