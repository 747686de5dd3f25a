//! The companion with a real daemon: the result of each kind of failure.

use std::fs;

use crate::support::TestEnv;
use crate::support::daemon::wait_until;
use crate::support::env::Output;

#[track_caller]
fn refused(output: &Output, code: i32, says: &str) {
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (code, ""),
        "{output:?}"
    );
    assert!(
        output.stderr.starts_with("jeton: ") && output.stderr.trim_end().lines().count() == 1,
        "{output:?}"
    );
    assert!(output.stderr.contains(says), "{output:?}");
}

#[test]
fn without_a_daemon_the_companion_exits_69() {
    let env = TestEnv::new();
    for args in [
        &["token"][..],
        &["status"],
        &["reload"],
        &["ready", "--wait", "0.1"],
    ] {
        let output = env.jeton(args);
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (69, ""),
            "{args:?} {output:?}"
        );
    }
}

#[test]
fn wrong_usage_exits_64_and_an_unknown_profile_exits_78() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.enrol("ci");
    let mut daemon = env.start();
    refused(&env.jeton(&["frobnicate"]), 64, "does not know that verb");
    refused(&env.jeton(&["tokn"]), 64, "the nearest is 'token'");
    refused(&env.jeton(&["help", "tokn"]), 64, "the nearest is 'token'");
    refused(
        &env.jeton(&["token", "--min-vaild", "5"]),
        64,
        "the nearest is --min-valid;",
    );
    refused(&env.jeton(&["token", "a", "b"]), 64, "too many arguments");
    refused(
        &env.jeton(&["token", "--min-valid", "86401"]),
        64,
        "--min-valid takes seconds from 0 to 86400",
    );
    refused(&env.jeton(&["token"]), 64, "several profiles");
    refused(&env.jeton(&["refresh"]), 64, "several profiles");
    refused(
        &env.jeton(&["token", "absent"]),
        78,
        "absent: there is no such profile",
    );
    refused(&env.jeton(&["ready", "absent"]), 78, "no such profile");
    refused(&env.jeton(&["status", "absent"]), 78, "no such profile");
    refused(
        &env.jeton(&["exec", "--env", "T", "absent", "--", "true"]),
        78,
        "no such profile",
    );
    env.stop(&mut daemon);
}

#[test]
fn a_profile_without_a_credential_exits_78() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    fs::remove_file(env.record("research")).unwrap();
    let mut daemon = env.start();
    let mut output = env.jeton(&["token", "research"]);
    wait_until("the daemon to read the store", || {
        output = env.jeton(&["token", "research"]);
        output.code != 75
    });
    refused(&output, 78, "research: no credential is stored");
    let response = env.get(&daemon, "/v1/profiles/research/token");
    assert_eq!(
        (response.status, response.code().as_str()),
        (409, "not_enrolled")
    );
    assert_eq!(
        env.get(&daemon, "/v1/profiles/research").json()["phase"],
        "misconfigured"
    );
    env.stop(&mut daemon);
}

#[test]
fn a_failing_issuer_exits_75() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.fault("status:503");
    let mut daemon = env.start();
    refused(
        &env.jeton(&["token", "--max-wait", "0.1"]),
        75,
        "research: ",
    );
    refused(&env.jeton(&["ready", "research"]), 75, "research: ");
    let status = env.jeton(&["status"]);
    assert_eq!(status.code, 0, "the daemon itself works");
    env.fault("none");
    let ready = env.jeton(&["ready", "research", "--wait", "29"]);
    assert_eq!(
        (ready.code, ready.stdout.as_str(), ready.stderr.as_str()),
        (0, "", "")
    );
    assert_eq!(env.jeton(&["refresh"]).code, 0);
    refused(&env.jeton(&["refresh"]), 75, "at most one in 10 s");
    env.stop(&mut daemon);
}

#[test]
fn a_rejected_credential_exits_1_before_and_after_the_circuit_breaker_opens() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.fault("invalid-client");
    let mut daemon = env.start();
    let phase = || env.get(&daemon, "/v1/profiles/research").json()["phase"].clone();
    wait_until("the first rejection", || phase() == "retrying");
    let why = "research: the issuer rejects the credential";
    refused(&env.jeton(&["token", "--max-wait", "0.1"]), 1, why);
    assert_eq!(phase(), "retrying");
    // The second rejection, 5 s later, opens the circuit breaker.
    wait_until("the circuit breaker to open", || phase() == "rejected");
    refused(&env.jeton(&["token", "--max-wait", "0.1"]), 1, why);
    refused(&env.jeton(&["refresh"]), 1, "the issuer rejects");
    let response = env.get(&daemon, "/v1/profiles/research/token");
    assert_eq!(
        (response.status, response.code().as_str()),
        (502, "rejected_by_provider")
    );
    assert_eq!(response.header("retry-after"), None);
    assert!(response.json()["retry_at"].is_u64());
    assert_eq!(
        env.get(&daemon, "/v1/profiles/research").json()["phase"],
        "rejected"
    );
    env.stop(&mut daemon);
}

#[test]
fn an_admin_verb_exits_77_at_the_token_socket() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let tokens = daemon.socket.to_str().unwrap();
    refused(
        &env.jeton(&["reload", "--admin-socket", tokens]),
        77,
        "admin socket only",
    );
    // The reverse is allowed: a peer that can use the admin socket may get a token.
    let admin = daemon.admin.to_str().unwrap();
    assert_eq!(env.jeton(&["token", "--socket", admin]).code, 0);
    env.stop(&mut daemon);
}
