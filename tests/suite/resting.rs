//! A profile that nobody asks for.

use serde_json::Value;

use crate::support::TestEnv;
use crate::support::daemon::wait_until;

#[test]
fn the_issuer_is_left_alone_while_nobody_asks_and_whoever_asks_wakes_the_profile() {
    let env = TestEnv::with_sandbox(2);
    env.enrol("research");
    let mut daemon = env.start();
    let status = || -> Value {
        let shown = env.jeton(&["status", "research", "--json"]);
        let all: Value = serde_json::from_str(&shown.stdout).unwrap();
        all["profiles"][0].clone()
    };
    wait_until("the profile to rest", || status()["phase"] == "resting");
    let before = env.sandbox().stats().token_requests;
    assert!(before >= 3, "enrolment, and what kept it fresh until then");
    wait_until("its token to end", || status()["expires_in"].is_null());
    let resting = status();
    assert_eq!(resting["phase"], "resting");
    assert_eq!(resting["next_attempt_at"], Value::Null);
    assert_eq!(env.sandbox().stats().token_requests, before);
    let token = env.token(&daemon, "research");
    assert_eq!(env.sandbox().issued().last(), Some(&token));
    assert_eq!(env.sandbox().stats().token_requests, before + 1);
    assert_eq!(status()["phase"], "fresh");
    env.stop(&mut daemon);
}
