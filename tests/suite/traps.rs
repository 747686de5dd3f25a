//! Traps of Run:ai's API, each tested on the wire. T6 (redirects) has a module of its own.

use jetond::sandbox::{Line, TokenRequestForm, UnknownPath};

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};

/// Returns the paths of a sandbox's requests for tokens, in order.
fn paths(env: &TestEnv, sandbox: usize) -> Vec<String> {
    let requests = env.sandboxes()[sandbox].requests();
    requests.into_iter().map(|seen| seen.path).collect()
}

fn refreshes(env: &TestEnv, daemon: &Daemon, profile: &str) -> u64 {
    let status = env.get(daemon, &format!("/v1/profiles/{profile}")).json();
    assert_eq!(status["counts"]["failures"], 0, "{status}");
    status["counts"]["refreshes"].as_u64().unwrap()
}

/// Returns for how many seconds the daemon will serve the token that it holds.
fn held_for(env: &TestEnv, daemon: &Daemon, profile: &str) -> u64 {
    let target = format!("/v1/profiles/{profile}/token");
    let answer = env.get(daemon, &target);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["expires_in"].as_u64().unwrap()
}

/// T1: server lines up to 2.23 state no expiry. The JWT does.
#[test]
fn t1_a_token_without_a_stated_expiry_expires_with_its_jwt() {
    let env = TestEnv::with_line(Line::V2_23, 700);
    env.enrol("research");
    let mut daemon = env.start();
    let left = held_for(&env, &daemon, "research");
    // About 670, not the 285 of an opaque token.
    assert!((640..=670).contains(&left), "{left}");
    env.stop(&mut daemon);
}

/// T1 and T2: requests to v1 use camel case and JSON, with the specification's `clientID`. Requests to v2 use snake
/// case and a form.
#[test]
fn t2_v1_gets_camel_case_json_and_v2_a_snake_case_form() {
    let mut env = TestEnv::new();
    for (line, profile) in [(Line::V2_23, "old"), (Line::V2_24, "new")] {
        let sandbox = env.add_sandbox(line, 600);
        env.enrol_at(profile, &env.sandboxes()[sandbox].url());
    }
    let mut daemon = env.start();
    env.token(&daemon, "old");
    env.token(&daemon, "new");
    let look = |seen: &TokenRequestForm| {
        let mut names = seen.field_names.clone();
        names.sort();
        (seen.path.clone(), seen.content_type.clone().unwrap(), names)
    };
    let json = || {
        let names = ["clientID", "clientSecret", "grantType"].map(str::to_owned);
        (
            "/api/v1/token".to_owned(),
            "application/json".to_owned(),
            names.to_vec(),
        )
    };
    let form = || {
        let names = ["client_id", "client_secret", "grant_type"].map(str::to_owned);
        (
            "/api/v2/token".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
            names.to_vec(),
        )
    };
    let seen = |n: usize| -> Vec<_> { env.sandboxes()[n].requests().iter().map(look).collect() };
    // The enrolment and the daemon's start each find the endpoint.
    assert_eq!(seen(0), [form(), json(), form(), json()]);
    assert_eq!(seen(1), [form(), form()]);
    env.stop(&mut daemon);
}

/// T3: v2 is tried first, then v1, but only if v2 does not exist. The result is remembered.
#[test]
fn t3_an_older_endpoint_is_found_once_and_remembered() {
    let mut env = TestEnv::new();
    for (unknown_path, profile) in [
        (UnknownPath::Html, "html"),
        (UnknownPath::NotFound, "absent"),
    ] {
        let sandbox = env.add_sandbox_that(Line::V2_23, 4, |o| o.unknown_path = unknown_path);
        env.enrol_at(profile, &env.sandboxes()[sandbox].url());
    }
    let mut daemon = env.start();
    wait_until("three tokens of each", || {
        refreshes(&env, &daemon, "html") >= 3 && refreshes(&env, &daemon, "absent") >= 3
    });
    env.stop(&mut daemon);
    for sandbox in 0..2 {
        let paths = paths(&env, sandbox);
        let (found, remembered) = paths.split_at(4);
        assert_eq!(found, ["/api/v2/token", "/api/v1/token"].repeat(2));
        assert!(remembered.len() >= 2, "{paths:?}");
        assert!(
            remembered.iter().all(|path| path == "/api/v1/token"),
            "{paths:?}"
        );
    }
}

/// T3 and T10: a rejected credential is not sent to another endpoint, and not sent again and again, however many
/// requests there are.
#[test]
fn t3_a_rejected_credential_is_not_sent_to_another_endpoint() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    env.fault("invalid-client");
    let mut daemon = env.start();
    let mut rejected_at = vec![];
    wait_until("the second rejection", || {
        // A request while no token is held, which would take any token.
        let asked = env.get(&daemon, "/v1/profiles/research/token?max_wait=0");
        assert!(asked.status >= 500, "{asked:?}");
        let status = env.get(&daemon, "/v1/profiles/research").json();
        let failures = status["counts"]["failures"].as_u64().unwrap();
        if failures > rejected_at.len() as u64 {
            rejected_at.push(status["last_fault"]["at"].as_u64().unwrap());
        }
        failures == 2
    });
    // At least 5 s, in whole seconds.
    assert!(rejected_at[1] - rejected_at[0] >= 4, "{rejected_at:?}");
    assert_eq!(env.jeton(&["token", "research"]).code, 1);
    let paths = paths(&env, 0);
    assert_eq!(
        paths, ["/api/v2/token"; 3],
        "the first request is the enrolment's"
    );
    env.stop(&mut daemon);
}

/// T4: a web page with status 200 is not a token, at any path.
#[test]
fn t4_a_web_page_with_status_200_is_not_taken_for_a_token() {
    let mut env = TestEnv::new();
    for unknown_path in [UnknownPath::Html, UnknownPath::NotFound] {
        let sandbox = env.add_sandbox_that(Line::V2_24, 600, |o| o.unknown_path = unknown_path);
        let url = format!("{}/console", env.sandboxes()[sandbox].url());
        let added = env.try_enrol_at("research", &url);
        assert_eq!(added.code, 78, "{added:?}");
        assert!(
            added.stderr.contains("no token, so nothing is written"),
            "{added:?}"
        );
        assert!(!env.record("research").exists() && !env.config().exists());
        assert_eq!(env.sandboxes()[sandbox].stats().granted, 0);
    }
}

/// T5: the answer of v1 to a wrong secret is not documented. An OAuth error with any 4xx status counts as a rejection
/// and is quoted. The same goes for v1's own form on statuses that are about the caller's identity or request.
#[test]
fn t5_a_rejection_by_v1_is_recognized_in_either_format() {
    let mut env = TestEnv::new();
    let shapes = [
        r#"{"error":"invalid_client","error_description":"no such client"}"#,
        r#"{"code":4,"message":"no such client","details":"invalid_client"}"#,
    ];
    let mut cases = vec![];
    for code in [400, 401, 403, 409, 422] {
        let is_of_both = matches!(code, 400 | 401 | 403);
        for shape in &shapes[..if is_of_both { 2 } else { 1 }] {
            let sandbox = env.add_sandbox(Line::V2_23, 600);
            let profile = format!("p{sandbox}");
            env.enrol_at(&profile, &env.sandboxes()[sandbox].url());
            env.fault_at(sandbox, &format!("answer:{code}:{shape}"));
            cases.push((profile, code, shape));
        }
    }
    let mut daemon = env.start();
    for (profile, code, shape) in cases {
        let mut fault = serde_json::Value::Null;
        wait_until("a fault", || {
            let status = env.get(&daemon, &format!("/v1/profiles/{profile}")).json();
            fault = status["last_fault"].clone();
            fault.is_object()
        });
        assert_eq!(fault["kind"], "rejected", "{code} {shape}: {fault}");
        let detail = fault["detail"].as_str().unwrap();
        for said in ["no such client", "invalid_client", &code.to_string()] {
            assert!(detail.contains(said), "{code} {shape}: {fault}");
        }
    }
    env.stop(&mut daemon);
}

/// T7: the credential is sent only in the body, although the documents mention a header. Nothing else is sent.
#[test]
fn t7_a_token_call_has_no_authorization_header() {
    for line in Line::ALL {
        let env = TestEnv::with_line(line, 4);
        env.enrol("research");
        let mut daemon = env.start();
        // Also in requests while a token is held.
        wait_until("a refresh", || refreshes(&env, &daemon, "research") >= 2);
        env.stop(&mut daemon);
        for seen in env.sandbox().requests() {
            let mut names = seen.header_names.clone();
            names.sort();
            let expected = [
                "accept",
                "accept-encoding",
                "content-length",
                "content-type",
                "host",
                "user-agent",
            ];
            assert_eq!(names, expected, "{line}");
        }
    }
}

/// T8: no lifetime is built in.
#[test]
fn t8_the_issuer_decides_how_long_a_token_is_valid() {
    let mut env = TestEnv::new();
    let lives = [
        (20, 19_u64),
        (3_600, 3_570),
        (36_000, 35_970),
        (86_400, 86_370),
        (1_000_000, 86_370),
    ];
    for line in Line::ALL {
        for (life, _) in lives {
            let sandbox = env.add_sandbox(line, life);
            env.enrol_at(&format!("p{sandbox}"), &env.sandboxes()[sandbox].url());
        }
    }
    let mut daemon = env.start();
    for sandbox in 0..env.sandboxes().len() {
        let (life, most) = lives[sandbox % lives.len()];
        let left = held_for(&env, &daemon, &format!("p{sandbox}"));
        assert!(
            (most.saturating_sub(30)..=most).contains(&left),
            "{left} of {life}"
        );
    }
    env.stop(&mut daemon);
}

/// T9: a refresh token in an answer is neither used nor kept. The daemon sends the credential again.
#[test]
fn t9_a_refresh_token_is_not_used() {
    let mut env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let others = ["refresh-token-c4d1aa07", "identity-token-90b2ee31"];
    env.forbid("a refresh token", others[0]);
    env.forbid("an ID token", others[1]);
    env.fault(&format!(
        r#"raw:{{"access_token":"$TOKEN","expires_in":2,"refresh_token":"{}","refreshToken":"{}","id_token":"{}"}}"#,
        others[0], others[0], others[1]
    ));
    let mut daemon = env.start();
    wait_until("three tokens", || refreshes(&env, &daemon, "research") >= 3);
    env.stop(&mut daemon);
    let requests = env.sandbox().requests();
    assert!(requests.len() >= 4);
    for seen in requests {
        assert_eq!(
            seen.field_names,
            ["grant_type", "client_id", "client_secret"]
        );
    }
}

/// T15: base addresses as users paste them.
#[test]
fn t15_a_base_address_is_accepted_in_every_form_that_users_paste() {
    let mut env = TestEnv::new();
    let pasted = [
        "",
        "/",
        "//",
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v2",
        "/api/v1/token",
        "/api/v2/token/",
    ];
    let mut profiles = vec![];
    for line in Line::ALL {
        let sandbox = env.add_sandbox(line, 600);
        for path in pasted {
            let profile = format!("p{}", profiles.len());
            let url = format!("{}{path}", env.sandboxes()[sandbox].url());
            env.enrol_at(&profile, &url);
            profiles.push((profile, sandbox));
        }
    }
    let mut daemon = env.start();
    for (profile, sandbox) in &profiles {
        let token = env.token(&daemon, profile);
        assert!(
            env.sandboxes()[*sandbox].issued().contains(&token),
            "{profile}"
        );
    }
    for sandbox in 0..2 {
        let known = ["/api/v1/token", "/api/v2/token"];
        assert!(
            paths(&env, sandbox)
                .iter()
                .all(|path| known.contains(&path.as_str()))
        );
    }
    env.stop(&mut daemon);
}
