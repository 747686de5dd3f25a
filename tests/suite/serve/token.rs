//! Requests for a token by path: the answer, and how long a caller waits.

use std::thread;

use serde_json::Value;

use super::{members, unix_now};
use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};

const TOKEN: &str = "/v1/profiles/research/token";

fn token(env: &TestEnv, daemon: &Daemon, query: &str) -> Value {
    let response = env.get(daemon, &format!("{TOKEN}{query}"));
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

#[test]
fn the_answer_has_exactly_the_documented_members() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let before = unix_now();
    let response = env.get(&daemon, TOKEN);
    let after = unix_now();
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let json = response.json();
    assert_eq!(
        members(&json),
        [
            "access_token",
            "expires_at",
            "expires_in",
            "generation",
            "profile",
            "stale",
            "token_type"
        ]
    );
    assert_eq!(json["profile"], "research");
    assert_eq!(json["token_type"], "Bearer");
    assert_eq!(json["stale"], false);
    let issued = env.sandbox().issued();
    assert_eq!(json["access_token"], issued.last().unwrap().as_str());
    let number = |name: &str| json[name].as_u64().unwrap();
    // A margin of 30 s is subtracted, and both values are rounded down.
    assert!((3_480..=3_569).contains(&number("expires_in")), "{json}");
    assert!(number("expires_at") >= before + number("expires_in"));
    assert!(number("expires_at") <= after + number("expires_in") + 1);
    assert!(number("generation") > 1_700_000_000_000);
    assert!(number("generation") < 1 << 53);
    env.stop(&mut daemon);
}

#[test]
fn plain_text_is_the_bare_token_with_a_newline() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let bare = format!(
        "{}\n",
        token(&env, &daemon, "")["access_token"].as_str().unwrap()
    );
    for accept in [
        "text/plain",
        "text/plain;q=0.9, text/html",
        "TEXT/html, text/plain",
    ] {
        let plain = env.request(&daemon.socket, "GET", TOKEN, &[("Accept", accept)], b"");
        assert_eq!(plain.text(), bare, "{accept}");
        assert_eq!(
            plain.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(plain.header("cache-control"), Some("no-store"));
    }
    for accept in ["application/json, text/plain", "*/*", "text/html"] {
        let json = env.request(&daemon.socket, "GET", TOKEN, &[("Accept", accept)], b"");
        assert_eq!(
            json.header("content-type"),
            Some("application/json"),
            "{accept}"
        );
    }
    env.stop(&mut daemon);
}

#[test]
fn a_held_token_is_served_without_an_attempt() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let first = token(&env, &daemon, "");
    let asked = env.sandbox().stats().token_requests;
    env.fault("hang");
    // More than is possible is clamped to half the lifetime, which this token still has.
    for query in [
        "",
        "?min_valid=0",
        "?min_valid=600.5",
        "?min_valid=86400",
        "?max_wait=0",
    ] {
        let json = token(&env, &daemon, query);
        assert_eq!(json["access_token"], first["access_token"], "{query}");
        assert_eq!(json["generation"], first["generation"], "{query}");
        assert_eq!(json["stale"], false, "{query}");
    }
    assert_eq!(env.sandbox().stats().token_requests, asked);
    env.stop(&mut daemon);
}

#[test]
fn a_min_valid_request_gets_a_new_token_or_a_stale_one() {
    let env = TestEnv::with_sandbox(6);
    env.enrol("research");
    let mut daemon = env.start();
    let first = token(&env, &daemon, "");
    env.fault("hang");
    wait_until("less than half of the lifetime to be left", || {
        token(&env, &daemon, "?min_valid=86400&max_wait=0")["stale"] == true
    });
    let waited = token(&env, &daemon, "?min_valid=86400&max_wait=0.2");
    assert_eq!(waited["stale"], true);
    assert_eq!(waited["access_token"], first["access_token"]);
    assert_eq!(
        token(&env, &daemon, "")["stale"],
        false,
        "no token was requested"
    );
    env.fault("none");
    wait_until("the next token", || {
        let json = token(&env, &daemon, "?min_valid=86400&max_wait=10");
        json["access_token"] != first["access_token"] && json["stale"] == false
    });
    env.stop(&mut daemon);
}

#[test]
fn without_a_token_a_caller_waits_at_most_max_wait() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.fault("hang");
    let mut daemon = env.start();
    let asked = env.sandbox().stats().token_requests;
    wait_until("the attempt", || {
        env.sandbox().stats().token_requests > asked
    });
    // With longer waits, the attempt would have ended and the codes would differ.
    for query in ["?max_wait=0", "?max_wait=0.1", "?max_wait=0.1&min_valid=60"] {
        let response = env.get(&daemon, &format!("{TOKEN}{query}"));
        assert_eq!(
            (response.status, response.code().as_str()),
            (504, "deadline"),
            "{query}"
        );
        assert_eq!(response.json()["profile"], "research");
        assert_eq!(response.header("retry-after"), None);
    }
    env.fault("none");
    assert!(
        env.sandbox().issued().len() <= 1,
        "only the enrolment got a token"
    );
    env.stop(&mut daemon);
}

#[test]
fn callers_without_a_token_share_one_attempt() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.fault("slow:0.5");
    let asked = env.sandbox().stats().token_requests;
    let mut daemon = env.start();
    let socket = &daemon.socket;
    let tokens: Vec<String> = thread::scope(|scope| {
        let callers: Vec<_> = (0..30)
            .map(|_| {
                scope.spawn(move || {
                    let accept = [("Accept", "text/plain")];
                    crate::support::http::request(
                        socket,
                        "GET",
                        "/v1/profiles/research/token?max_wait=60",
                        &accept,
                        b"",
                    )
                    .text()
                })
            })
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().unwrap())
            .collect()
    });
    for token in &tokens {
        env.add_output("a token", token.as_bytes(), true);
        assert_eq!(token, &tokens[0]);
    }
    assert_eq!(env.sandbox().stats().token_requests, asked + 1);
    env.stop(&mut daemon);
}
