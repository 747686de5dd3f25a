//! Binding of secrets: a secret is sent only to the address it was enrolled for, until the user allows another one.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;

use jetond::credential::ClientSecret;
use jetond::sandbox::{Line, Options, Sandbox};
use serde_json::Value;

use crate::enrol::{add, write_config};
use crate::support::TestEnv;
use crate::support::daemon::wait_until;

/// Starts a second control plane that accepts this secret.
fn second_sandbox(env: &TestEnv, client_id: &str, secret: &str) -> Sandbox {
    let secret = ClientSecret::parse(secret).unwrap();
    let options = Options::new(Line::V2_24, client_id, secret);
    env.block_on(Sandbox::start(options)).unwrap()
}

/// Writes a configuration in which `research` has this address.
fn point_to(env: &TestEnv, url: &str) {
    write_config(
        env,
        format!("[profiles.research]\nprovider = \"runai\"\nurl = \"{url}\"\n"),
    );
}

fn record(env: &TestEnv) -> Value {
    serde_json::from_slice(&fs::read(env.record("research")).unwrap()).unwrap()
}

#[test]
fn a_changed_address_gets_no_secret_until_a_rebind_confirms_it() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let mut daemon = env.start();
    env.token(&daemon, "research");
    let other = second_sandbox(&env, "test-client", env.secret());
    point_to(&env, &other.url());
    let reloaded = env.request(&daemon.admin, "POST", "/v1/reload", &[], b"");
    assert_eq!(reloaded.status, 200, "{reloaded:?}");

    let target = "/v1/profiles/research/token?min_valid=1&max_wait=1";
    let refused = env.get(&daemon, target);
    assert_eq!(
        (refused.status, refused.code()),
        (409, "binding_changed".to_owned())
    );
    let forced = env.request(
        &daemon.socket,
        "POST",
        "/v1/profiles/research/refresh",
        &[],
        b"",
    );
    assert_eq!(
        (forced.status, forced.code()),
        (409, "binding_changed".to_owned())
    );
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 78, "{checked:?}");
    for says in [
        &env.sandbox().url(),
        "the address (url, token-url or issuer) was ",
        "jetond add research --rebind",
    ] {
        assert!(checked.stderr.contains(says), "{says}: {checked:?}");
    }
    assert_eq!(other.stats().token_requests, 0);
    assert!(other.requests().is_empty());
    // A restart does not circumvent the check.
    env.stop(&mut daemon);
    let mut daemon = env.start();
    assert_eq!(env.get(&daemon, target).code(), "binding_changed");
    assert_eq!(other.stats().token_requests, 0);

    let before = record(&env);
    let rebound = env.jetond(&["add", "research", "--rebind"]);
    assert_eq!(rebound.code, 0, "{rebound:?}");
    assert!(
        rebound.stdout.contains("the running daemon has read it"),
        "{rebound:?}"
    );
    assert_eq!(other.issued().len() as u64, other.stats().token_requests);
    let token = env.token(&daemon, "research");
    assert!(other.issued().contains(&token));
    let after = record(&env);
    assert_eq!(after["origin"], other.url());
    for kept in ["client_id", "client_secret"] {
        assert!(after[kept] == before[kept], "{kept}");
    }
    assert_eq!(env.jetond(&["check"]).code, 0);
    env.stop(&mut daemon);
}

#[test]
fn a_rebind_to_an_issuer_that_rejects_the_secret_changes_nothing() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let other = second_sandbox(&env, "test-client", "another secret");
    point_to(&env, &other.url());
    let before = (
        fs::read(env.record("research")).unwrap(),
        fs::read(env.config()).unwrap(),
    );
    let refused = env.jetond(&["add", "research", "--rebind"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("nothing is written"), "{refused:?}");
    assert_eq!(other.stats().token_requests, 1);
    let after = (
        fs::read(env.record("research")).unwrap(),
        fs::read(env.config()).unwrap(),
    );
    assert!(before == after);
}

#[test]
fn a_rebind_replaces_the_secret_and_keeps_the_client_id() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let mut daemon = env.start();
    let first = env.token(&daemon, "research");
    let config = fs::read(env.config()).unwrap();
    // The new secret contains the first one, so the search for leaks allows it only in the store.
    let new = format!("new-{}", env.secret());
    env.sandbox().set_secret(ClientSecret::parse(&new).unwrap());
    let command = env.jetond_command(&["add", "research", "--rebind", "--client-secret-stdin"]);
    let rebound = env.finish("jetond add", command, new.as_bytes(), false);
    assert_eq!(rebound.code, 0, "{rebound:?}");
    let record = record(&env);
    assert!(record["client_id"] == "test-client" && record["client_secret"] == *new);
    assert!(config == fs::read(env.config()).unwrap());
    // The running daemon uses it, and a token was served at every moment.
    wait_until("a token for the new secret", || {
        env.token(&daemon, "research") != first
    });
    assert_eq!(env.sandbox().stats().rejected, 0);
    env.stop(&mut daemon);
}

#[test]
fn a_rebind_with_a_new_client_replaces_an_unreadable_record() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let other = second_sandbox(&env, "other-client", env.secret());
    point_to(&env, &other.url());
    fs::write(env.record("research"), "{").unwrap();
    let kept = env.jetond(&["add", "research", "--rebind"]);
    assert_eq!(kept.code, 78, "{kept:?}");
    assert!(
        kept.stderr.contains("this is not a credential's record"),
        "{kept:?}"
    );
    assert_eq!(other.stats().token_requests, 0);
    let secret = env.secret_file();
    let replaced = env.jetond(&[
        "add",
        "research",
        "--rebind",
        "--client-id",
        "other-client",
        "--client-secret-file",
        secret.to_str().unwrap(),
    ]);
    assert_eq!(replaced.code, 0, "{replaced:?}");
    assert_eq!(record(&env)["client_id"], "other-client");
}

#[test]
fn only_a_configured_profile_can_be_rebound() {
    let env = TestEnv::with_sandbox(60);
    let unknown = env.jetond(&["add", "research", "--rebind"]);
    assert_eq!(unknown.code, 78, "{unknown:?}");
    assert!(
        unknown.stderr.contains("there is no profile research in "),
        "{unknown:?}"
    );
    // A profile that was enrolled on another machine: the configuration was copied, but not the credential.
    let enrolled = add(&env, "research", &[]);
    assert_eq!(enrolled.code, 0, "{enrolled:?}");
    fs::remove_file(env.record("research")).unwrap();
    let asked = env.jetond(&["add", "research", "--rebind"]);
    assert_eq!(asked.code, 64, "{asked:?}");
    assert!(
        asked.stderr.contains("there is no terminal to ask on"),
        "{asked:?}"
    );
}
