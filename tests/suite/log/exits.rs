//! The end of a log: it has the last lines, and the exit does not wait for a stuck log.

use std::fs;
use std::io::Read as _;

use rustix::pipe::{PipeFlags, pipe_with};

use super::{END, enrolled, fill, spawn};
use crate::support::TestEnv;
use crate::support::daemon::wait_until;

#[test]
fn the_log_contains_the_last_line_of_a_stopping_daemon() {
    let env = enrolled();
    for _ in 0..5 {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let mut command = env.jetond_command(&["run"]);
        command.env_remove("JETON_LOG");
        let mut daemon = super::start_command(&env, command, writer);
        // By then the line about the first token precedes the last line.
        env.token(&daemon, "research");
        assert_eq!(daemon.stop().code(), Some(0));
        let mut log = String::new();
        fs::File::from(reader).read_to_string(&mut log).unwrap();
        let last = log.lines().last().unwrap();
        assert!(last.ends_with(" INFO stopping"), "{log}");
    }
}

#[test]
fn a_failed_start_prints_its_error_after_the_log() {
    let env = TestEnv::new();
    let mut first = env.start();
    let mut second = env.spawn(&[]);
    assert_eq!(second.wait().code(), Some(75));
    let log = second.log();
    let last = log.lines().last().unwrap();
    assert!(last.starts_with("jetond: a daemon already serves"), "{log}");
    env.stop(&mut first);
}

#[test]
fn a_failing_start_does_not_wait_for_its_log() {
    let env = TestEnv::new();
    fs::create_dir(env.path("config/jeton")).unwrap();
    for (config, vars, code) in [
        (
            "[profiles.research]\nprovider = \"runia\"\n",
            ("JETON_LOG", "trace"),
            78,
        ),
        ("", ("JETON_LOG", "verbose"), 64),
        ("", ("JETON_SOCKET", "relative"), 78),
    ] {
        fs::write(env.config(), config).unwrap();
        let (_reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        fill(&writer);
        let mut command = env.jetond_command(&["run"]);
        command.env(vars.0, vars.1);
        let asked = std::time::Instant::now();
        let mut daemon = spawn(&env, command, writer);
        let mut status = None;
        wait_until("the start to fail", || {
            status = daemon.child.try_wait().unwrap();
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(code));
        assert!(asked.elapsed() < END);
    }
}
