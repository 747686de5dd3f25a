//! A fault that stays is one line in the log when it begins, and one when it is over.
use std::fs;

use crate::support::TestEnv;
use crate::support::daemon::Daemon;

/// How many lines of the log say this.
fn count(daemon: &Daemon, text: &str) -> usize {
    let log = daemon.log_up_to_now();
    log.lines().filter(|line| line.contains(text)).count()
}

fn reload(env: &TestEnv, code: i32) {
    for _ in 0..3 {
        let reload = env.jeton(&["reload"]);
        assert_eq!(reload.code, code, "{reload:?}");
    }
}

#[test]
fn faults_of_a_configuration_that_stays_invalid_are_logged_once() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let good = fs::read_to_string(env.config()).unwrap();
    let mut daemon = env.start_with(&["--log-format", "json"]);
    for round in 1..=2 {
        fs::write(env.config(), format!("{good}colour = 1\nshape = 2\n")).unwrap();
        reload(&env, 78);
        assert_eq!(count(&daemon, "profiles.research.colour"), round);
        assert_eq!(count(&daemon, "profiles.research.shape"), round);
        assert_eq!(
            count(&daemon, "still invalid for the same reasons"),
            4 * round - 2
        );
        // Another fault is news.
        fs::write(env.config(), format!("{good}size = 3\n")).unwrap();
        reload(&env, 78);
        assert_eq!(count(&daemon, "profiles.research.size"), round);
        fs::write(env.config(), &good).unwrap();
        reload(&env, 0);
    }
    env.stop(&mut daemon);
}

#[test]
fn a_needed_restart_is_logged_once() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let good = fs::read_to_string(env.config()).unwrap();
    let mut daemon = env.start();
    for round in 1..=2 {
        fs::write(env.config(), format!("[socket]\nmode = \"all\"\n{good}")).unwrap();
        reload(&env, 0);
        assert_eq!(count(&daemon, "restart needed"), round);
        fs::write(env.config(), &good).unwrap();
        reload(&env, 0);
    }
    env.stop(&mut daemon);
}

#[test]
fn an_unreadable_credential_is_logged_once_and_so_is_its_return() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let record = fs::read(env.record("research")).unwrap();
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    for round in 1..=2 {
        fs::write(env.record("research"), "{").unwrap();
        reload(&env, 0);
        assert_eq!(count(&daemon, "the credential cannot be read"), round);
        assert_eq!(count(&daemon, "can be read again"), round - 1);
        fs::write(env.record("research"), &record).unwrap();
        reload(&env, 0);
        assert_eq!(count(&daemon, "can be read again"), round);
    }
    assert_eq!(env.token(&daemon, "research"), token);
    env.stop(&mut daemon);
}
