//! Reports that a resource rejected a token.

use std::thread;

use sha2::{Digest, Sha256};

use super::members;
use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::env::Output;
use crate::support::http::{self, Response};

const TOKEN: &str = "/v1/profiles/research/token";
const REJECT: &str = "/v1/profiles/research/token/reject";

fn report(env: &TestEnv, daemon: &Daemon, body: &str) -> Response {
    env.request(&daemon.socket, "POST", REJECT, &[], body.as_bytes())
}

fn by_generation(answer: &Response) -> String {
    format!("{{\"generation\":{}}}", answer.json()["generation"])
}

fn sha256(token: &str) -> String {
    let hash = Sha256::digest(token);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Runs `jeton reject` with the token on standard input.
fn reject(env: &TestEnv, args: &[&str], token: &str) -> Output {
    let mut command = env.command(env!("CARGO_BIN_EXE_jeton"));
    command.args([&["reject", "research"], args].concat());
    env.finish("jeton reject", command, token.as_bytes(), true)
}

#[test]
fn many_reports_of_one_token_cause_one_refresh() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let first = env.get(&daemon, TOKEN);
    let before = env.sandbox().stats().token_requests;
    let body = by_generation(&first);
    let reporters: Vec<_> = (0..64)
        .map(|_| {
            let (socket, body) = (daemon.socket.clone(), body.clone());
            thread::spawn(move || http::request(&socket, "POST", REJECT, &[], body.as_bytes()))
        })
        .collect();
    let answers: Vec<Response> = reporters.into_iter().map(|r| r.join().unwrap()).collect();
    let late = report(&env, &daemon, &body);
    assert_eq!(members(&late.json()), members(&first.json()));
    assert!(late.json()["generation"].as_u64() > first.json()["generation"].as_u64());
    for answer in &answers {
        env.add_output(REJECT, &answer.body, true);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["access_token"], late.json()["access_token"]);
        assert_eq!(answer.json()["stale"], false);
    }
    assert_eq!(env.sandbox().stats().token_requests, before + 1);
    assert_eq!(
        env.get(&daemon, "/v1/profiles/research").json()["counts"]["reports"],
        1
    );
    env.stop(&mut daemon);
}

#[test]
fn a_reported_token_is_served_as_stale_until_a_newer_one_exists() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let held = env.get(&daemon, TOKEN);
    env.fault("status:503");
    let refused = report(&env, &daemon, &by_generation(&held));
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (503, "unavailable")
    );
    assert!(refused.header("retry-after").is_some());
    let others = env.get(&daemon, TOKEN).json();
    assert_eq!(others["access_token"], held.json()["access_token"]);
    assert_eq!(others["stale"], true);
    let told = env.jeton(&["token", "research"]);
    assert_eq!(told.code, 0);
    assert!(told.stderr.contains("reported as rejected"), "{told:?}");
    env.fault("none");
    wait_until("a newer token", || {
        env.get(&daemon, TOKEN).json()["stale"] == false
    });
    env.stop(&mut daemon);
}

#[test]
fn repeated_reports_of_fresh_tokens_cause_a_cool_down() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let mut held = env.get(&daemon, TOKEN);
    for _ in 0..2 {
        held = report(&env, &daemon, &by_generation(&held));
        assert_eq!(held.status, 200, "{held:?}");
    }
    let before = env.sandbox().stats().token_requests;
    for _ in 0..3 {
        let refused = report(&env, &daemon, &by_generation(&held));
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (503, "cooling_down")
        );
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=61).contains(&wait), "{wait}");
    }
    assert_eq!(env.sandbox().stats().token_requests, before);
    let status = env.jeton(&["status", "research"]);
    assert!(
        status.stdout.contains("keep being reported as rejected"),
        "{status:?}"
    );
    let refused = reject(
        &env,
        &["--generation", &held.json()["generation"].to_string()],
        "",
    );
    assert_eq!(refused.code, 75, "{refused:?}");
    assert!(refused.stderr.contains("(next attempt in "), "{refused:?}");
    env.stop(&mut daemon);
}

#[test]
fn the_companion_reports_the_token_from_standard_input() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let first = env.token(&daemon, "research");
    let second = reject(&env, &[], &format!("{first}\n"));
    assert_eq!((second.code, second.stderr.as_str()), (0, ""));
    assert_ne!(second.stdout.trim_end(), first);
    let late = reject(&env, &["--sha256", &sha256(&first), "--json"], "");
    let json: serde_json::Value = serde_json::from_str(&late.stdout).unwrap();
    assert_eq!(json["access_token"], second.stdout.trim_end());
    assert_eq!(
        env.sandbox().stats().granted,
        3,
        "jetond add made one of them"
    );
    let empty = reject(&env, &[], "");
    assert_eq!(empty.code, 64, "{empty:?}");
    env.stop(&mut daemon);
}

#[test]
fn a_report_of_an_unknown_token_changes_nothing() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let held = env.token(&daemon, "research");
    let before = env.sandbox().stats().token_requests;
    // A generation from before the start, one from the future, and the hash of an empty text.
    for body in [
        "{\"generation\":0}".to_owned(),
        "{\"generation\":9007199254740991}".to_owned(),
        format!("{{\"token_sha256\":\"{}\"}}", sha256("")),
    ] {
        let answer = report(&env, &daemon, &body);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["access_token"], held.as_str());
        assert_eq!(answer.json()["stale"], false);
    }
    for body in [
        "",
        "{}",
        "{\"generation\":\"x\"}",
        "{\"token_sha256\":\"\"}",
        "\u{0}",
    ] {
        let refused = report(&env, &daemon, body);
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "bad_request")
        );
    }
    let status = env.get(&daemon, "/v1/profiles/research").json();
    assert_eq!(status["counts"]["reports"], 0);
    assert_eq!(env.sandbox().stats().token_requests, before);
    env.stop(&mut daemon);
}
