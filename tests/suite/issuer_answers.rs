//! Invalid answers of a token endpoint, with the real daemon: each is reported with its kind of fault, the held token
//! stays served, and nothing of the answer's body appears elsewhere.

use std::fs;
use std::time::Instant;

use jetond::sandbox::Line;
use serde_json::Value;

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::http;

/// A text in the answers below whose leak fails the test.
const BODY: &str = "body-canary-5d0f3c7e91ab";

/// The answers, each with the kind of fault reported. `BODY` stands for the text above, `SECRET` for the client secret
/// as JSON.
#[rustfmt::skip]
const ANSWERS: &[(&str, &str)] = &[
    // 200 without a token
    (r#"raw:{"error":"invalid_request","x":"BODY"}"#, "rejected"),
    (r#"raw:{"error":"server_error","x":"BODY"}"#, "server_error"),
    (r#"raw:{"error":"","x":"BODY"}"#, "malformed"),
    (r#"raw:{"error":null,"x":"BODY"}"#, "malformed"),
    (r#"raw:{"code":200,"message":"ok","x":"BODY"}"#, "malformed"),
    (r#"raw:<!DOCTYPE html><p>BODY</p>"#, "malformed"),
    (r#"raw:BODY"#, "malformed"),
    (r#"raw:"BODY""#, "malformed"),
    (r#"raw:["BODY"]"#, "malformed"),
    (r#"raw:{"access_token":"BODY","expires_in":600"#, "malformed"),
    (r#"raw:{"access_token":"BODY","expires_in":600}{"access_token":"BODY"}"#, "malformed"),
    (r#"raw:{"access_token":"BODY","expires_in":600} BODY"#, "malformed"),
    (r#"raw:{"access_token":"BODY","access_token":"BODY"}"#, "malformed"),
    (r#"raw:{"access_token":"BODY","expires_in":600,"expires_in":600}"#, "malformed"),
    (r#"raw:{"access_token":"BODY","expires_in":NaN}"#, "malformed"),
    (r#"raw:{"access_token":"BODY","expires_in":Infinity}"#, "malformed"),
    (r#"raw:{"access_token":"BODY","x":DEPTH}"#, "malformed"),
    // 200 with an invalid token
    (r#"raw:{"access_token":"","x":"BODY"}"#, "malformed"),
    (r#"raw:{"access_token":null,"x":"BODY"}"#, "malformed"),
    (r#"raw:{"access_token":["BODY"]}"#, "malformed"),
    (r#"raw:{"access_token":"BODY\r\nX-Injected: 1"}"#, "malformed"),
    (r#"raw:{"access_token":"BODY\u0000"}"#, "malformed"),
    (r#"raw:{"access_token":"BODY\u007f"}"#, "malformed"),
    (r#"raw:{"access_token":"BODY BODY"}"#, "malformed"),
    (r#"raw:{"access_token":"BODY\t"}"#, "malformed"),
    ("raw:{\"access_token\":\"BODY\u{e9}\"}", "malformed"),
    (r#"raw:{"access_token":"BODYLONG"}"#, "malformed"),
    (r#"raw:{"access_token":"BODY","token_type":"mac"}"#, "malformed"),
    (r#"raw:{"access_token":"BODY","token_type":7}"#, "malformed"),
    (r#"raw:{"access_token":"BODY","x":"LONGLONGLONGLONG"}"#, "too_large"),
    // statuses
    (r#"answer:204:"#, "malformed"),
    (r#"answer:206:{"access_token":"BODY"}"#, "malformed"),
    (r#"answer:400:{"error":"invalid_client","x":"BODY"}"#, "rejected"),
    (r#"answer:400:{"error":"unauthorized_client","x":"BODY"}"#, "rejected"),
    (r#"answer:400:{"error":"temporarily_unavailable","x":"BODY"}"#, "server_error"),
    (r#"answer:404:{"error":"invalid_client","x":"BODY"}"#, "rejected"),
    (r#"answer:400:BODY"#, "no_endpoint"),
    (r#"answer:401:{"code":401,"message":"Issuer is not familiar.","x":"BODY"}"#, "rejected"),
    (r#"answer:401:{"error":"temporarily_unavailable","x":"BODY"}"#, "server_error"),
    (r#"answer:401:{"error":"Unauthorized","x":"BODY"}"#, "rejected"),
    (r#"answer:403:{"code":403,"message":"no","x":"BODY"}"#, "rejected"),
    (r#"answer:403:{"code":403,"x":"BODY"}"#, "no_endpoint"),
    (r#"answer:403:<html>BODY</html>"#, "no_endpoint"),
    (r#"answer:404:{"x":"BODY"}"#, "no_endpoint"),
    (r#"answer:405:{"x":"BODY"}"#, "no_endpoint"),
    (r#"answer:407:{"x":"BODY"}"#, "no_endpoint"),
    (r#"answer:400:{"error":"slow_down","x":"BODY"}"#, "rate_limited"),
    (r#"answer:408:{"x":"BODY"}"#, "server_error"),
    (r#"answer:425:{"x":"BODY"}"#, "server_error"),
    (r#"answer:429:{"x":"BODY"}"#, "rate_limited"),
    (r#"answer:500:{"access_token":"BODY"}"#, "server_error"),
    (r#"answer:502:<html>BODY</html>"#, "server_error"),
    (r#"answer:503:{"x":"BODY"}"#, "server_error"),
    (r#"answer:599:{"x":"BODY"}"#, "server_error"),
    // the part that may be quoted contains our secret or a token
    (r#"answer:400:{"error":"invalid_request","error_description":"bad secret SECRET"}"#, "rejected"),
    (r#"answer:401:{"code":401,"message":"got {\"client_secret\":\"SECRET\"}","details":"SECRET"}"#, "rejected"),
    (r#"answer:503:{"message":"could not store $TOKEN"}"#, "server_error"),
    (r#"raw:{"error":"server_error","error_description":"$TOKEN","access_token":"$TOKEN"}"#, "malformed"),
];

/// The lifetimes in answers (`None`: the member is missing), each with the lifetime that the daemon uses, in seconds. 0
/// means that the answer is refused. The sandbox's JWT lasts 600 s, which caps every lifetime.
#[rustfmt::skip]
const LIFETIMES: &[(Option<&str>, u64)] = &[
    (Some("300"), 300), (Some("\"300\""), 300), (Some("300.0"), 300), (Some("3e2"), 300), (Some("\"300.5\""), 300),
    (Some("\" 300 \""), 300), (Some("3600"), 600),
    (Some("0"), 600), (Some("\"0\""), 600), (Some("1"), 1),
    (Some("-1"), 600), (Some("null"), 600), (None, 600), (Some("true"), 600), (Some("[]"), 600), (Some("{}"), 600),
    (Some("\"3600s\""), 600), (Some("\"NaN\""), 600), (Some("-1e400"), 600),
    (Some("2147483648"), 600), (Some("9223372036854775808"), 600), (Some("18446744073709551616"), 600),
    (Some("100000000000000000000000000"), 600), (Some("1e400"), 600),
    (Some("0,\"expires_on\":\"200\""), 200), (Some("null,\"expires_at\":4000000000"), 600),
    (Some("NaN"), 0), (Some("3600,\"expires_in\":3600"), 0), (Some("01"), 0), (Some(""), 0),
];

/// Returns the sandbox fault of a row, with the placeholders replaced.
fn fault(row: &str, secret: &str) -> String {
    let json = serde_json::to_string(secret).unwrap();
    row.replace("SECRET", json.trim_matches('"'))
        .replace("DEPTH", &format!("{}{}", "[".repeat(200), "]".repeat(200)))
        .replace("LONG", &"a".repeat(70_000))
        .replace("BODY", BODY)
}

fn status(env: &TestEnv, daemon: &Daemon, profile: &str) -> Value {
    env.get(daemon, &format!("/v1/profiles/{profile}")).json()
}

/// Enrols this many profiles, each at a sandbox of its own whose tokens last 600 s.
fn enrol(env: &mut TestEnv, count: usize) -> Vec<String> {
    (0..count)
        .map(|n| {
            let sandbox = env.add_sandbox(Line::V2_24, 600);
            let profile = format!("p{n}");
            env.enrol_at(&profile, &env.sandboxes()[sandbox].url());
            profile
        })
        .collect()
}

fn refresh(env: &TestEnv, daemon: &Daemon, profile: &str) -> http::Response {
    let target = format!("/v1/profiles/{profile}/refresh");
    env.request(&daemon.socket, "POST", &target, &[], b"")
}

#[test]
fn an_invalid_answer_is_reported_by_kind_and_keeps_the_token() {
    let mut env = TestEnv::new();
    env.forbid("an answer's body", BODY);
    let profiles = enrol(&mut env, ANSWERS.len());
    let mut daemon = env.start();
    let held: Vec<String> = profiles.iter().map(|p| env.token(&daemon, p)).collect();
    let before: Vec<(Value, u64)> = profiles
        .iter()
        .enumerate()
        .map(|(n, profile)| {
            let attempts = env.sandboxes()[n].stats().token_requests;
            (
                status(&env, &daemon, profile)["generation"].clone(),
                attempts,
            )
        })
        .collect();
    for (n, (row, _)) in ANSWERS.iter().enumerate() {
        env.fault_at(n, &fault(row, env.secret()));
    }
    for (n, profile) in profiles.iter().enumerate() {
        let (row, kind) = ANSWERS[n];
        let start = Instant::now();
        let asked = refresh(&env, &daemon, profile);
        // An issuer may answer like this while it starts, so the daemon does not yet count it as a rejection.
        let is_doubtful = row.contains("Unauthorized");
        if kind == "rejected" && !is_doubtful {
            assert_eq!(asked.status, 502, "{row}: {asked:?}");
            assert_eq!(asked.code(), "rejected_by_provider", "{row}: {asked:?}");
        } else {
            assert_eq!(asked.status, 503, "{row}: {asked:?}");
            assert_eq!(asked.code(), "unavailable", "{row}: {asked:?}");
            assert!(asked.header("retry-after").is_some(), "{row}: {asked:?}");
        }
        let status = status(&env, &daemon, profile);
        assert_eq!(status["last_fault"]["kind"], kind, "{row}: {status}");
        assert_eq!(status["phase"], "retrying", "{row}: {status}");
        assert_eq!(status["generation"], before[n].0, "{row}: {status}");
        assert_eq!(env.token(&daemon, profile), held[n], "{row}");
        let detail = status["last_fault"]["detail"].as_str().unwrap();
        assert!(detail.contains(&env.sandboxes()[n].url()), "{detail}");
        assert!(detail.len() < 500 && detail.is_ascii(), "{detail}");
        // One attempt for the request, and the retries of the back-off.
        let made = env.sandboxes()[n].stats().token_requests - before[n].1;
        let most = 1 + (start.elapsed().as_secs_f64() / 0.5) as u64;
        assert!((1..=most).contains(&made), "{row}: {made}");
    }
    // Requests do not change what is held.
    for (profile, held) in profiles.iter().zip(&held) {
        assert_eq!(&env.token(&daemon, profile), held);
    }
    env.stop(&mut daemon);
}

#[test]
fn a_stated_lifetime_counts_between_one_second_and_a_day() {
    let mut env = TestEnv::new();
    let profiles = enrol(&mut env, LIFETIMES.len());
    for (n, (stated, _)) in LIFETIMES.iter().enumerate() {
        let member = stated.map_or(String::new(), |raw| format!(",\"expires_in\":{raw}"));
        env.fault_at(n, &format!("raw:{{\"access_token\":\"$TOKEN\"{member}}}"));
    }
    let mut daemon = env.start();
    for (n, profile) in profiles.iter().enumerate() {
        let (stated, lifetime) = LIFETIMES[n];
        if lifetime == 0 {
            wait_until("a fault", || {
                status(&env, &daemon, profile)["last_fault"].is_object()
            });
            let status = status(&env, &daemon, profile);
            assert_eq!(status["last_fault"]["kind"], "malformed", "{stated:?}");
            assert_eq!(status["expires_in"], Value::Null, "{stated:?}");
            continue;
        }
        let answer = env.get(&daemon, &format!("/v1/profiles/{profile}/token"));
        assert_eq!(answer.status, 200, "{stated:?}: {answer:?}");
        let left = answer.json()["expires_in"].as_u64().unwrap();
        let reduced = lifetime - 30.min(lifetime.div_ceil(20));
        assert!(
            (reduced.saturating_sub(30)..=reduced).contains(&left),
            "{stated:?}: {left} s of {lifetime}"
        );
    }
    // A token with a stated lifetime of one second does not cause a hot loop of attempts.
    let start = Instant::now();
    let refreshes = |n: usize| {
        let status = status(&env, &daemon, &profiles[n]);
        status["counts"]["refreshes"].as_u64().unwrap()
    };
    let short = |n: &usize| LIFETIMES[*n].1 == 1;
    let first: Vec<(usize, u64)> = (0..LIFETIMES.len())
        .filter(short)
        .map(|n| (n, refreshes(n)))
        .collect();
    assert_eq!(first.len(), 1);
    wait_until("three more tokens of each", || {
        first.iter().all(|(n, before)| refreshes(*n) >= before + 3)
    });
    for (n, before) in first {
        let made = refreshes(n) - before;
        let most = 2.0 + start.elapsed().as_secs_f64() / 0.5;
        assert!((made as f64) <= most, "{:?}: {made}", LIFETIMES[n].0);
    }
    env.stop(&mut daemon);
}

/// Neither the token nor the issuer states a lifetime.
#[test]
fn an_opaque_token_without_a_lifetime_holds_for_five_minutes() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    env.fault(r#"raw:{"access_token":"an-opaque.token"}"#);
    let mut daemon = env.start();
    let answer = env.get(&daemon, "/v1/profiles/research/token").json();
    assert_eq!(answer["access_token"], "an-opaque.token");
    let left = answer["expires_in"].as_u64().unwrap();
    assert!((255..=285).contains(&left), "{left}");
    env.stop(&mut daemon);
}

/// A token with a stated lifetime of 0 counts as a failure. With a lifetime in the profile's configuration, it is
/// accepted.
#[test]
fn an_opaque_token_with_lifetime_0_needs_a_declared_lifetime() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    env.fault(r#"raw:{"access_token":"an-opaque.token","expires_in":0}"#);
    let mut daemon = env.start();
    wait_until("two failures", || {
        status(&env, &daemon, "research")["counts"]["failures"].as_u64() >= Some(2)
    });
    let shown = status(&env, &daemon, "research");
    assert_eq!(shown["last_fault"]["kind"], "malformed", "{shown}");
    let detail = shown["last_fault"]["detail"].as_str().unwrap();
    assert!(detail.contains("lifetime = \"1h\""), "{detail}");

    let config = fs::read_to_string(env.config()).unwrap();
    fs::write(env.config(), config + "lifetime = \"1h\"\n").unwrap();
    assert_eq!(env.jeton(&["reload"]).code, 0);
    wait_until("a token", || {
        status(&env, &daemon, "research")["phase"] == "fresh"
    });
    let answer = env.get(&daemon, "/v1/profiles/research/token").json();
    let left = answer["expires_in"].as_u64().unwrap();
    assert!((3_500..=3_570).contains(&left), "{left}");
    env.stop(&mut daemon);
}

/// The profile's lifetime overrides the one that the issuer states, but not the expiry in the token.
#[test]
fn a_lifetime_in_the_profile_does_not_extend_the_expiry_of_a_jwt() {
    let mut env = TestEnv::new();
    let profiles = enrol(&mut env, 2);
    let config = fs::read_to_string(env.config()).unwrap();
    let config = config.replace("\nprovider =", "\nlifetime = \"1h\"\nprovider =");
    let config = config.replacen("\"1h\"", "\"5m\"", 1);
    assert_eq!(config.matches("lifetime").count(), 2, "{config}");
    fs::write(env.config(), config).unwrap();
    let mut daemon = env.start();
    for (profile, most) in profiles.iter().zip([285, 570]) {
        let answer = env.get(&daemon, &format!("/v1/profiles/{profile}/token"));
        let left = answer.json()["expires_in"].as_u64().unwrap();
        assert!((most - 30..=most).contains(&left), "{profile}: {left}");
    }
    env.stop(&mut daemon);
}

/// Returns the process's peak memory in KiB.
fn peak(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_1_gib_answer_is_refused_without_using_memory() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let mut daemon = env.start();
    let held = env.token(&daemon, "research");
    let before = peak(&daemon);
    env.fault("huge");
    assert_eq!(refresh(&env, &daemon, "research").status, 503);
    // Some more attempts from the back-off.
    wait_until("three failures", || {
        status(&env, &daemon, "research")["counts"]["failures"].as_u64() >= Some(3)
    });
    let shown = status(&env, &daemon, "research");
    assert_eq!(shown["last_fault"]["kind"], "too_large", "{shown}");
    let grown = peak(&daemon) - before;
    assert!(grown < 4 * 1_024, "{grown} KiB more than {before}");
    assert_eq!(env.token(&daemon, "research"), held);
    env.stop(&mut daemon);
}
