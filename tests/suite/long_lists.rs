//! The list of thousands of profiles.

use std::fs;

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::wire::{Wire, get};

/// Returns the token of `research`, after the work at the daemon's start has let it arrive.
fn first_token(env: &TestEnv, daemon: &Daemon) -> String {
    let target = "/v1/profiles/research/token?max_wait=5";
    wait_until("a token", || env.get(daemon, target).status == 200);
    env.token(daemon, "research")
}

/// A test environment with this many profiles beside `research`. They are not enrolled.
fn set_up(more: usize) -> TestEnv {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let one = fs::read_to_string(env.config()).unwrap();
    let more = (0..more).map(|n| one.replace("research", &format!("listed-{n}")));
    let all: String = std::iter::once(one.clone()).chain(more).collect();
    fs::write(env.config(), all).unwrap();
    env
}

#[test]
fn a_list_over_the_companions_limit_is_refused_with_a_remedy() {
    let env = set_up(2_000);
    let mut daemon = env.start();
    let token = first_token(&env, &daemon);
    let list = env.jeton(&["status", "--json"]);
    assert_eq!(list.code, 64, "{list:?}");
    assert!(list.stdout.is_empty(), "{list:?}");
    assert!(list.stderr.contains("name one profile"), "{list:?}");
    let one = env.jeton(&["status", "research"]);
    assert_eq!(one.code, 0, "{one:?}");
    let list = env.get(&daemon, "/v1/profiles");
    assert_eq!(list.json()["profiles"].as_array().unwrap().len(), 2_001);
    assert_eq!(env.token(&daemon, "research"), token);
    env.stop(&mut daemon);
}

#[test]
fn a_users_lists_are_generated_one_at_a_time() {
    let env = set_up(300);
    let mut daemon = env.start();
    first_token(&env, &daemon);
    let mut lists: Vec<_> = (0..4).map(|_| Wire::new(&env, &daemon.socket)).collect();
    for round in 0..3 {
        for list in &mut lists {
            list.send(get("/v1/profiles")).unwrap();
        }
        env.token(&daemon, "research");
        for list in &mut lists {
            let answer = list.answer();
            assert_eq!(answer.status, 200, "{round}");
            assert_eq!(answer.json()["profiles"].as_array().unwrap().len(), 301);
        }
    }
    env.stop(&mut daemon);
}
