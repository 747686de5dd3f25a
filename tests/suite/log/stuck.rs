//! Logs that are not read: a full pipe, a FIFO, a terminal stopped with Ctrl-S.

use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;
use rustix::termios::{Action, LocalModes, OptionalActions, tcflow, tcgetattr, tcsetattr};

use super::{
    Reader, assert_serves, assert_serves_and_stops, chatter, chatter_of_megabytes, enrolled, fill,
    lines, start,
};
use crate::support::daemon::wait_until;
use crate::support::pty::pty;

#[test]
fn an_unread_log_pipe_stops_nothing_and_reports_dropped_lines() {
    let env = enrolled();
    env.expect_dropped_lines();
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    fill(&writer);
    let mut daemon = start(&env, &["--log-format", "json"], writer);
    chatter_of_megabytes(&daemon);
    assert_serves(&env, &mut daemon);

    let log = Reader::of(reader);
    log.wait_for("log lines were dropped");
    // From here on no line is missing.
    chatter(&daemon, 1);
    assert_serves_and_stops(&env, &mut daemon);
    let text = log.end(&env);
    assert!(text.contains("all connections have ended"));
    let lines = lines(&text);
    assert!(super::dropped(&lines) > 50, "{}", super::dropped(&lines));
    let counts = lines.iter().filter(|line| line["dropped"].is_u64()).count();
    assert_eq!(counts, 1, "one line for one gap");
}

#[test]
fn a_stop_does_not_wait_for_a_log_that_is_not_read() {
    for signal in [Signal::TERM, Signal::INT] {
        let env = enrolled();
        let (_reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        fill(&writer);
        let mut daemon = start(&env, &[], writer);
        chatter(&daemon, 100);
        daemon.signal(signal);
        assert_serves_to_its_end(&mut daemon);
    }
}

fn assert_serves_to_its_end(daemon: &mut crate::support::daemon::Daemon) {
    let asked = std::time::Instant::now();
    assert_eq!(daemon.wait().code(), Some(0));
    assert!(asked.elapsed() < super::END, "{:?}", asked.elapsed());
}

#[test]
fn a_non_blocking_log_pipe_gets_every_line_without_busy_waiting() {
    let env = enrolled();
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    let mut daemon = start(&env, &["--log-format", "json"], writer);
    chatter(&daemon, 300);
    let before = processor_time(&daemon);
    let log = Reader::of(reader);
    wait_until("the log lines of all requests", || {
        log.text().matches("\"answered\"").count() >= 300
    });
    assert!(
        processor_time(&daemon) - before < 100,
        "the daemon waited in a busy loop"
    );
    assert_serves_and_stops(&env, &mut daemon);
    assert_eq!(super::dropped(&lines(&log.end(&env))), 0);
}

/// Returns the processor time of a daemon in hundredths of a second.
fn processor_time(daemon: &crate::support::daemon::Daemon) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", daemon.child.id())).unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    fields
        .skip(11)
        .take(2)
        .map(|n| n.parse::<u64>().unwrap())
        .sum()
}

#[test]
fn a_stuck_log_uses_no_processor_time() {
    let env = enrolled();
    for full_disk in [true, false] {
        let (_reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
        fill(&writer);
        let full = File::options().write(true).open("/dev/full").unwrap();
        let log = if full_disk {
            OwnedFd::from(full)
        } else {
            writer
        };
        let mut daemon = start(&env, &[], log);
        chatter(&daemon, 5);
        let before = processor_time(&daemon);
        // The test measures the processor time of an idle period, so it sleeps.
        std::thread::sleep(std::time::Duration::from_secs(2));
        let used = processor_time(&daemon) - before;
        assert!(
            used <= 5,
            "the daemon used {used} hundredths of a second of processor time"
        );
        assert_serves_and_stops(&env, &mut daemon);
    }
}

#[test]
fn ctrl_s_on_the_terminal_stops_only_the_log() {
    let env = enrolled();
    let (master, terminal) = pty();
    let screen = terminal.try_clone().unwrap();
    let mut daemon = start(&env, &[], terminal);
    tcflow(&screen, Action::OOff).unwrap();
    chatter(&daemon, 50);
    assert_serves(&env, &mut daemon);
    tcflow(&screen, Action::OOn).unwrap();
    let log = Reader::of(master);
    log.wait_for("reloaded");
    tcflow(&screen, Action::OOff).unwrap();
    assert_serves_and_stops(&env, &mut daemon);
    tcflow(&screen, Action::OOn).unwrap();
    drop(screen);
    log.end(&env);
}

#[test]
fn a_terminal_with_tostop_does_not_stop_the_daemon() {
    let env = enrolled();
    let (master, terminal) = pty();
    let mut modes = tcgetattr(&terminal).unwrap();
    modes.local_modes.insert(LocalModes::TOSTOP);
    tcsetattr(&terminal, OptionalActions::Now, &modes).unwrap();
    // Like a shell with job control: the daemon is not in the session's foreground process group.
    let mut command = env.command("setsid");
    let script = "set -m; \"$0\" run & wait $!";
    command
        .args(["--ctty", "--wait", "bash", "-c", script])
        .arg(env!("CARGO_BIN_EXE_jetond"))
        .stdin(terminal.try_clone().unwrap())
        .stdout(terminal.try_clone().unwrap())
        .stderr(terminal);
    let mut shell = command.spawn().unwrap();
    drop(command);
    let log = Reader::of(master);
    let socket = env.path("run/jeton/jeton.sock");
    wait_until("the daemon to serve", || {
        crate::support::daemon::accepts(&socket)
    });
    let answer = crate::support::http::request(&socket, "GET", "/healthz", &[], b"");
    assert_eq!(answer.status, 200);
    let asked = env.jeton(&["token", "research"]);
    assert_eq!(asked.code, 0, "{asked:?}");
    // The end of the terminal ends the session. The daemon treats the hang-up as a reload.
    let peer = rustix::net::sockopt::socket_peercred(
        std::os::unix::net::UnixStream::connect(&socket).unwrap(),
    )
    .unwrap();
    rustix::process::kill_process(peer.pid, Signal::TERM).unwrap();
    wait_until("the shell to end", || shell.try_wait().unwrap().is_some());
    let shown = log.end(&env);
    assert!(shown.contains("stopping"), "{shown}");
}

#[test]
fn a_fifo_log_whose_reader_hangs_stops_nothing() {
    let env = enrolled();
    let path = env.path("out/fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, Mode::from_raw_mode(0o600)).unwrap();
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let _reader = rustix::fs::open(&path, flags, Mode::empty()).unwrap();
    let writer = File::options().write(true).open(&path).unwrap();
    let mut daemon = start(&env, &[], writer);
    chatter_of_megabytes(&daemon);
    assert_serves_and_stops(&env, &mut daemon);
}
