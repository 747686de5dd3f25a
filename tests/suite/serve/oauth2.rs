//! The OAuth 2.0 token endpoint (RFC 6749, section 4.4) on the wire.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use jetond::sandbox::Line;

use super::members;
use crate::support::TestEnv;
use crate::support::daemon::Daemon;
use crate::support::http::Response;

const ENDPOINT: &str = "/oauth2/token";
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

fn post(env: &TestEnv, daemon: &Daemon, headers: &[(&str, &str)], body: &str) -> Response {
    let socket = &daemon.socket;
    env.request(socket, "POST", ENDPOINT, headers, body.as_bytes())
}

/// Returns the `error` of a refusal, which must have the form of RFC 6749, section 5.2.
fn error(response: &Response) -> String {
    assert_eq!(
        response.header("content-type"),
        Some("application/json"),
        "{response:?}"
    );
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert_eq!(response.header("pragma"), Some("no-cache"));
    let challenge = response.header("www-authenticate");
    assert_eq!(
        challenge,
        (response.status == 401).then_some("Basic realm=\"jeton\"")
    );
    let json = response.json();
    assert_eq!(members(&json), ["error", "error_description"]);
    assert!(!json["error_description"].as_str().unwrap().is_empty());
    json["error"].as_str().unwrap().to_owned()
}

#[test]
fn an_oauth2_client_gets_the_held_token() {
    let mut env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let discarded = "discarded+unread%26never~kept-0123456789";
    env.forbid("the discarded secret", discarded);
    let decoded = "discarded unread&never~kept-0123456789";
    env.forbid("the discarded secret, decoded", decoded);
    let mut daemon = env.start();
    let held = env.token(&daemon, "research");
    let asked = env.sandbox().stats().token_requests;

    let basic = STANDARD.encode(format!("research:{discarded}"));
    env.forbid("the discarded header", &basic);
    let basic = format!("Basic {basic}");
    let grant = "grant_type=client_credentials";
    let in_body = format!("{grant}&client_id=research&client_secret={discarded}");
    for (headers, body) in [
        (&[FORM][..], in_body.as_str()),
        (&[FORM, ("Authorization", &basic)], grant),
        (&[FORM, ("Authorization", &basic)], &in_body),
    ] {
        let response = post(&env, &daemon, headers, body);
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("pragma"), Some("no-cache"));
        let json = response.json();
        assert_eq!(members(&json), ["access_token", "expires_in", "token_type"]);
        assert_eq!(json["access_token"], held.as_str());
        assert_eq!(json["token_type"], "Bearer");
        assert!((3_480..=3_569).contains(&json["expires_in"].as_u64().unwrap()));
    }
    // The secret in a refused request is discarded as well.
    let wrong = format!("{in_body}&scope=other");
    assert_eq!(
        error(&post(&env, &daemon, &[FORM], &wrong)),
        "invalid_scope"
    );
    assert_eq!(env.sandbox().stats().token_requests, asked);
    let state = env.get(&daemon, "/v1/profiles/research").json();
    assert_eq!(state["counts"]["requests"], 4, "{state}");
    env.stop(&mut daemon);
}

/// Enrols the profile `reports` with two scopes and an audience.
fn enrol_reports(env: &TestEnv) {
    let (url, secret) = (env.sandbox().url(), env.secret_file());
    let added = env.jetond(&[
        "add",
        "reports",
        "--provider",
        "oauth2",
        "--token-url",
        &format!("{url}/api/v2/token"),
        "--client-auth",
        "post",
        "--scope",
        "b.write",
        "--scope",
        "a.read",
        "--audience",
        "https://api.example",
        "--client-id",
        "test-client",
        "--client-secret-file",
        secret.to_str().unwrap(),
    ]);
    assert_eq!(added.code, 0, "{added:?}");
}

#[test]
fn only_the_profiles_scope_is_accepted() {
    let env = TestEnv::with_sandbox(3_600);
    enrol_reports(&env);
    let mut daemon = env.start();
    let ask = |query: &str| {
        let body = format!("grant_type=client_credentials&client_id=reports{query}");
        post(&env, &daemon, &[FORM], &body)
    };
    for query in [
        "",
        "&scope=a.read+b.write",
        "&audience=https%3A%2F%2Fapi.example",
    ] {
        let response = ask(query);
        assert_eq!(response.status, 200, "{query} {response:?}");
        assert_eq!(response.json()["scope"], "b.write a.read", "{query}");
    }
    for query in [
        "&scope=a.read",
        "&audience=https://other.example",
        "&resource=urn:x",
    ] {
        let response = ask(query);
        assert_eq!(
            (response.status, error(&response).as_str()),
            (400, "invalid_scope"),
            "{query}"
        );
    }
    env.stop(&mut daemon);
}

#[test]
fn a_narrower_granted_scope_is_shown_and_logged_once() {
    let env = TestEnv::with_sandbox(600);
    enrol_reports(&env);
    let grant = |scope: &str| {
        let token = r#""access_token":"$TOKEN","token_type":"Bearer","expires_in":600"#;
        env.fault(&format!("raw:{{{token},\"scope\":{scope}}}"));
    };
    grant(r#"["a.read","email"]"#);
    let mut daemon = env.start();
    let ask = |query: &str| {
        let body = format!("grant_type=client_credentials&client_id=reports{query}");
        post(&env, &daemon, &[FORM], &body)
    };
    for (query, status) in [
        ("", 200),
        ("&scope=a.read+b.write", 200),
        ("&scope=email+a.read", 200),
        ("&scope=a.read", 400),
        ("&scope=other", 400),
    ] {
        let response = ask(query);
        assert_eq!(response.status, status, "{query} {response:?}");
        if status == 200 {
            assert_eq!(response.json()["scope"], "a.read email", "{query}");
        }
    }
    let state = env.get(&daemon, "/v1/profiles/reports").json();
    assert_eq!(state["granted_scope"], "a.read email", "{state}");
    assert_eq!(state["missing_scope"], "b.write", "{state}");
    let table = env.jeton(&["status"]).stdout;
    assert!(table.contains("narrower scope"), "{table}");
    let refresh = || {
        let target = "/v1/profiles/reports/refresh";
        let before = env.get(&daemon, "/v1/profiles/reports").json()["generation"].clone();
        let answer = env.request(&daemon.socket, "POST", target, &[], b"");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_ne!(answer.json()["generation"], before);
    };
    refresh();
    let narrower = |daemon: &Daemon| {
        daemon
            .log_up_to_now()
            .matches("granted a narrower scope")
            .count()
    };
    assert_eq!(narrower(&daemon), 1);
    env.stop(&mut daemon);
}

#[test]
fn every_refusal_is_an_oauth2_error_response() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let ok = "grant_type=client_credentials&client_id=research";
    let nobody = format!("Basic {}", STANDARD.encode("absent:x"));
    let json = ("Content-Type", "application/json");
    let long = "a".repeat(16_385);
    for (method, target, headers, body, status, code) in [
        ("POST", ENDPOINT, &[FORM][..], "", 401, "invalid_client"),
        (
            "POST",
            ENDPOINT,
            &[FORM],
            "grant_type=client_credentials&client_id=absent",
            401,
            "invalid_client",
        ),
        (
            "POST",
            ENDPOINT,
            &[FORM, ("Authorization", &nobody)],
            "grant_type=client_credentials",
            401,
            "invalid_client",
        ),
        (
            "POST",
            ENDPOINT,
            &[FORM, ("Authorization", &nobody)],
            ok,
            400,
            "invalid_request",
        ),
        (
            "POST",
            ENDPOINT,
            &[FORM, ("Authorization", &nobody), ("Authorization", &nobody)],
            ok,
            400,
            "invalid_request",
        ),
        (
            "POST",
            ENDPOINT,
            &[FORM],
            "client_id=research&grant_type=password",
            400,
            "unsupported_grant_type",
        ),
        ("POST", ENDPOINT, &[json], ok, 400, "invalid_request"),
        ("POST", ENDPOINT, &[], ok, 400, "invalid_request"),
        (
            "POST",
            ENDPOINT,
            &[FORM, ("Origin", "null")],
            ok,
            400,
            "invalid_request",
        ),
        (
            "POST",
            "/oauth2/token?x=y",
            &[FORM],
            ok,
            400,
            "invalid_request",
        ),
        ("POST", ENDPOINT, &[FORM], &long, 413, "invalid_request"),
        ("GET", ENDPOINT, &[], "", 405, "invalid_request"),
    ] {
        let response = env.request(&daemon.socket, method, target, headers, body.as_bytes());
        assert_eq!(
            (response.status, error(&response).as_str()),
            (status, code),
            "{method} {target} {headers:?}"
        );
        assert_eq!(response.header("allow"), (status == 405).then_some("POST"));
    }
    let response = env.request(&daemon.admin, "POST", ENDPOINT, &[FORM], ok.as_bytes());
    assert_eq!(
        (response.status, error(&response).as_str()),
        (404, "invalid_request")
    );
    env.stop(&mut daemon);
}

#[test]
fn without_a_token_the_error_says_whether_to_retry() {
    let mut env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.enrol("forgotten");
    fs::remove_file(env.record("forgotten")).unwrap();
    let hanging = env.add_sandbox(Line::V2_24, 3_600);
    env.enrol_at("slow", &env.sandboxes()[hanging].url());
    env.fault("status:500");
    env.fault_at(hanging, "hang");
    let mut daemon = env.start();
    for (profile, status, code, again) in [
        ("research", 503, "temporarily_unavailable", true),
        ("forgotten", 409, "server_error", false),
        // Other paths answer `deadline` with 504 here, because the attempt is still running.
        ("slow", 503, "temporarily_unavailable", true),
    ] {
        let body = format!("grant_type=client_credentials&client_id={profile}");
        let response = post(&env, &daemon, &[FORM], &body);
        assert_eq!((response.status, error(&response).as_str()), (status, code));
        let wait = response.header("retry-after").map(|wait| wait.parse());
        assert_eq!(
            wait.map(|wait: Result<u32, _>| wait.unwrap() >= 1),
            again.then_some(true),
            "{response:?}"
        );
    }
    env.stop(&mut daemon);
}
