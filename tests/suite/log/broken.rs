//! Logs that cannot be written: full, gone, or closed.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};

use super::{
    Reader, assert_serves, assert_serves_and_stops, chatter, enrolled, start, start_command,
};
use crate::support::TestEnv;
use crate::support::daemon::wait_until;
use crate::support::ends::wait_until_unread;
use crate::support::pty::pty;

/// A pipe whose ends no other program inherits.
fn pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::CLOEXEC).unwrap()
}

#[test]
fn a_full_disk_affects_only_the_log() {
    let env = enrolled();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut daemon = start(&env, &[], full);
    chatter(&daemon, 50);
    assert_serves_and_stops(&env, &mut daemon);
}

#[test]
fn a_log_pipe_without_reader_affects_only_the_log() {
    for gone_before in [true, false] {
        let env = enrolled();
        let (reader, writer) = pipe();
        let reader = Some(reader).filter(|_| !gone_before);
        let mut daemon = start(&env, &[], writer);
        drop(reader);
        chatter(&daemon, 50);
        assert_serves_and_stops(&env, &mut daemon);
    }
}

#[test]
fn a_closed_terminal_affects_only_the_log() {
    let env = enrolled();
    let (master, terminal) = pty();
    let mut daemon = start(&env, &[], terminal);
    drop(master);
    chatter(&daemon, 50);
    assert_serves_and_stops(&env, &mut daemon);
}

#[test]
fn a_closed_standard_error_affects_only_the_log() {
    for redirection in ["2>&-", "2</dev/null", "0<&- 1>&- 2>&-"] {
        let env = enrolled();
        let mut command = env.command("/bin/sh");
        let script = format!("exec \"$0\" run {redirection}");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_jetond")]);
        let mut daemon = start_command(&env, command, Stdio::null());
        assert_serves_and_stops(&env, &mut daemon);
    }
}

#[test]
fn a_log_file_at_its_size_limit_affects_only_the_log() {
    let env = enrolled();
    let mut command = env.command("/bin/sh");
    // In blocks of 512 or 1024 bytes. The signal that the kernel sends at the limit must not end the daemon.
    let script = "ulimit -f 4; exec \"$0\" run";
    command.args(["-c", script, env!("CARGO_BIN_EXE_jetond")]);
    let path = env.path("out/limited");
    let mut daemon = start_command(&env, command, File::create(&path).unwrap());
    chatter(&daemon, 50);
    let size = path.metadata().unwrap().len();
    assert!((2_048..=4_096).contains(&size), "{size}");
    assert_serves_and_stops(&env, &mut daemon);
}

#[test]
fn a_fifo_log_continues_with_the_next_reader() {
    let env = enrolled();
    env.expect_dropped_lines();
    let path = env.path("out/fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap();
    let open = || {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        File::from(rustix::fs::open(&path, flags, 0.into()).unwrap())
    };
    let first = open();
    let writer = File::options().write(true).open(&path).unwrap();
    let theirs = writer.try_clone().unwrap();
    let mut daemon = start(&env, &["--log-format", "json"], theirs);
    drop(first);
    wait_until_unread(&writer.into());
    assert_serves(&env, &mut daemon);
    let next = open();
    fcntl_setfl(&next, OFlags::empty()).unwrap();
    let log = Reader::of(next);
    wait_until("the count of dropped lines", || {
        chatter(&daemon, 1);
        log.text().contains("log lines were dropped")
    });
    assert_serves_and_stops(&env, &mut daemon);
    let lines = super::lines(&log.end(&env));
    assert!(super::dropped(&lines) > 0);
    assert!(lines.iter().any(|line| line["message"] == "stopping"));
}

#[test]
fn a_closed_standard_output_does_not_crash_sandbox_or_demo() {
    let env = TestEnv::new();
    for args in [&["sandbox"][..], &["demo", "--quick"]] {
        for full in [true, false] {
            let output: Stdio = if full {
                let full = File::options().write(true).open("/dev/full");
                full.unwrap().into()
            } else {
                pipe().1.into()
            };
            let mut command = env.jetond_command(args);
            let mut child = command
                .stdin(Stdio::null())
                .stdout(output)
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            if args[0] == "sandbox" {
                let pid = rustix::process::Pid::from_child(&child);
                wait_until("the sandbox to catch signals", || {
                    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
                    let status = status.unwrap();
                    let caught = status.lines().find(|line| line.starts_with("SigCgt:"));
                    let caught = caught.unwrap().rsplit('\t').next().unwrap();
                    let caught = u64::from_str_radix(caught, 16).unwrap();
                    caught & (1 << 14) != 0 || child.try_wait().unwrap().is_some()
                });
                // The program may have ended already, because its output is gone.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
            let ended = child.wait_with_output().unwrap();
            assert!(ended.status.code().is_some(), "{args:?}: {ended:?}");
        }
    }
}
