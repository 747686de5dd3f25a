//! Misleading 4xx answers, with the real daemon: an answer from another server at the issuer's address, or from an
//! issuer that is starting up, does not count as a rejection of the credential.

use jetond::sandbox::Line;
use serde_json::Value;

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};

fn status(env: &TestEnv, daemon: &Daemon, profile: &str) -> Value {
    env.get(daemon, &format!("/v1/profiles/{profile}")).json()
}

fn failures(status: &Value) -> u64 {
    status["counts"]["failures"].as_u64().unwrap_or(0)
}

#[test]
fn an_error_of_another_server_at_the_issuers_address_is_not_a_rejection() {
    let faults = [
        ("status:404", 404),
        ("answer:404:default backend - 404", 404),
        ("answer:403:<html><body>Access denied</body></html>", 403),
        (
            r#"answer:400:{"message":"no Route matched with those values"}"#,
            400,
        ),
    ];
    let mut env = TestEnv::new();
    for (n, (fault, _)) in faults.iter().enumerate() {
        let sandbox = env.add_sandbox(Line::V2_24, 600);
        env.enrol_at(&format!("p{n}"), &env.sandboxes()[sandbox].url());
        env.fault_at(n, fault);
    }
    let mut daemon = env.start();
    for (n, (fault, number)) in faults.iter().enumerate() {
        let profile = format!("p{n}");
        wait_until("three failures", || {
            failures(&status(&env, &daemon, &profile)) >= 3
        });
        let state = status(&env, &daemon, &profile);
        assert_eq!(
            state["last_fault"]["kind"], "no_endpoint",
            "{fault}: {state}"
        );
        assert_eq!(state["phase"], "retrying", "{fault}: {state}");
        let answer = env.get(&daemon, &format!("/v1/profiles/{profile}/token?max_wait=0"));
        let asked = answer.code();
        // An attempt may be running at any moment.
        assert!(
            ["unavailable", "deadline"].contains(&asked.as_str()),
            "{fault}: {answer:?}"
        );
        let shown = env.jeton(&["status", &profile]);
        let why = format!("no token endpoint at this address ({number})");
        assert!(shown.stdout.contains(&why), "{fault}: {shown:?}");
    }
    // The route works again. The next retry gets a token, without waiting for a circuit breaker's probe.
    for n in 0..faults.len() {
        env.fault_at(n, "none");
    }
    for n in 0..faults.len() {
        env.token(&daemon, &format!("p{n}"));
    }
    env.stop(&mut daemon);
}

#[test]
fn a_401_from_a_starting_issuer_does_not_open_the_circuit_breaker() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    env.fault("answer:401:<html>starting</html>");
    let failed = env.try_enrol_at("other", &env.sandbox().url());
    assert_eq!(failed.code, 1, "{failed:?}");
    let mut daemon = env.start();
    wait_until("the retry after 5 s", || {
        failures(&status(&env, &daemon, "research")) >= 2
    });
    let state = status(&env, &daemon, "research");
    assert_eq!(state["phase"], "retrying", "{state}");
    assert_eq!(state["last_fault"]["kind"], "rejected", "{state}");
    let answer = env.get(&daemon, "/v1/profiles/research/token?max_wait=0");
    assert_eq!(answer.code(), "unavailable", "{answer:?}");
    env.fault("none");
    // Waits for the retry at 15 s.
    let answer = env.get(&daemon, "/v1/profiles/research/token?max_wait=30");
    assert_eq!(answer.status, 200, "{answer:?}");
    env.stop(&mut daemon);
}
