//! An issuer that revokes a client's old token whenever it issues a new one, while commands get tokens with the client
//! of a profile.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;

use jetond::sandbox::{Line, Setting};
use serde_json::json;

use crate::enrol::{add, write_config};
use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};
use crate::wrap::script;

const PATH: &str = "/v1/token-issued";

/// A test environment with an issuer that revokes old tokens, a profile `research`, and a running daemon that holds its
/// token.
fn started() -> (TestEnv, Daemon) {
    let env = TestEnv::with_sandbox(3_600);
    env.sandbox()
        .set(Setting::parse("reissue:kills-old").unwrap());
    env.enrol("research");
    let daemon = env.start();
    env.token(&daemon, "research");
    (env, daemon)
}

/// Returns the only token that the issuer still accepts.
fn alive(env: &TestEnv) -> String {
    env.sandbox().issued().pop().unwrap()
}

fn requests(env: &TestEnv) -> u64 {
    env.sandbox().stats().token_requests
}

fn wait_for_a_live_token(env: &TestEnv, daemon: &Daemon) {
    wait_until("a token that the issuer accepts", || {
        env.token(daemon, "research") == alive(env)
    });
}

/// Sets `reissue` in the configuration of every profile.
fn set_reissue(env: &TestEnv) {
    let text = fs::read_to_string(env.config()).unwrap();
    let text = text.replace("provider = ", "reissue = \"kills-old\"\nprovider = ");
    write_config(env, text);
}

#[test]
fn another_enrolment_with_the_same_client_leads_to_one_refresh() {
    let (env, mut daemon) = started();
    let config = env.path("other.toml");
    let elsewhere = ["--config", config.to_str().unwrap()];
    let before = requests(&env);
    let added = add(&env, "other", &elsewhere);
    assert_eq!(added.code, 0, "{added:?}");
    wait_for_a_live_token(&env, &daemon);
    assert_eq!(requests(&env), before + 2, "the proof and the refresh");
    let log = daemon.log();
    assert!(
        log.contains("the issuer gave this client another token"),
        "{log}"
    );
    env.stop(&mut daemon);
}

#[test]
fn a_rebind_leaves_the_profile_with_a_valid_token() {
    let (env, mut daemon) = started();
    for _ in 0..2 {
        let before = requests(&env);
        let rebound = env.jetond(&["add", "research", "--rebind"]);
        assert_eq!(rebound.code, 0, "{rebound:?}");
        wait_for_a_live_token(&env, &daemon);
        assert_eq!(requests(&env), before + 2, "the proof and the refresh");
    }
    env.stop(&mut daemon);
}

#[test]
fn a_regenerated_secret_leaves_the_profile_with_a_valid_token() {
    let (env, daemon) = started();
    let before = requests(&env);
    let renewed = env.jetond(&["app", "regenerate", "test-client", "--yes"]);
    assert_eq!(renewed.code, 0, "{renewed:?}");
    wait_for_a_live_token(&env, &daemon);
    assert_eq!(requests(&env), before + 2, "the proof and the refresh");
    assert_eq!(env.sandbox().stats().rejected, 0);
    crate::app::end(env, daemon);
}

#[test]
fn a_token_issued_to_a_failed_enrolment_also_leads_to_a_refresh() {
    let (env, mut daemon) = started();
    let before = requests(&env);
    let config = env.path("other/config.toml");
    let elsewhere = ["--config", config.to_str().unwrap()];
    // The command finds the folder in the lock's place only when it writes the enrolment, after it has obtained a
    // token.
    fs::create_dir_all(env.path("other/.jeton.lock")).unwrap();
    let refused = add(&env, "other", &elsewhere);
    assert_ne!(refused.code, 0, "{refused:?}");
    assert_eq!(requests(&env), before + 1, "{refused:?}");
    wait_for_a_live_token(&env, &daemon);
    env.stop(&mut daemon);
}

#[test]
fn messages_about_issued_tokens_are_accepted_only_at_the_admin_socket() {
    let (env, mut daemon) = started();
    let token = env.token(&daemon, "research");
    let before = requests(&env);
    let body =
        |client: &str| json!({"origin": env.sandbox().url(), "client_id": client}).to_string();
    let tell = |socket, body: &str| env.request(socket, "POST", PATH, &[], body.as_bytes());
    let refused = tell(&daemon.socket, &body("test-client"));
    assert_eq!(
        (refused.status, refused.code()),
        (403, "forbidden".to_owned())
    );
    let unclear = tell(&daemon.admin, "{}");
    assert_eq!(
        (unclear.status, unclear.code()),
        (400, "bad_request".to_owned())
    );
    let elsewhere = json!({"origin": "https://a.example", "client_id": "test-client"});
    for other in [body("another-client"), elsewhere.to_string()] {
        let answer = tell(&daemon.admin, &other);
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({"profiles": []}))
        );
    }
    assert_eq!(
        (requests(&env), env.token(&daemon, "research")),
        (before, token.clone())
    );
    let answer = tell(&daemon.admin, &body("test-client"));
    assert_eq!(answer.json(), json!({"profiles": ["research"]}));
    wait_until("the refresh", || env.token(&daemon, "research") != token);
    assert_eq!(requests(&env), before + 1);
    env.stop(&mut daemon);
}

#[test]
fn add_names_the_other_profiles_with_the_same_client() {
    let env = TestEnv::with_line(Line::V2_24, 3_600);
    let alone = add(&env, "research", &[]);
    assert_eq!((alone.code, alone.stderr.as_str()), (0, ""));
    let url = env.sandbox().url();
    let client = format!("(test-client at {url})");
    let second = add(&env, "second", &[]);
    assert_eq!(second.code, 0, "{second:?}");
    let same = format!("note: research has the same client as second {client}: ");
    assert!(second.stderr.contains(&same), "{second:?}");
    set_reissue(&env);
    let third = add(&env, "third", &[]);
    assert_eq!(third.code, 0, "{third:?}");
    let same = format!("warning: research, second have the same client as third {client}: ");
    assert!(third.stderr.contains(&same), "{third:?}");
    let rebound = env.jetond(&["add", "second", "--rebind"]);
    assert!(
        rebound
            .stderr
            .contains("research, third have the same client"),
        "{rebound:?}"
    );
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let others = format!(
        "research: second, third of this configuration would end its tokens as well: the client is the same {client}"
    );
    assert!(checked.stderr.contains(&others), "{checked:?}");
}

#[test]
fn check_and_run_warn_of_two_daemons_with_one_client() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let run = || env.finish("run", script(&env, "true"), b"", false);
    for says in [false, true] {
        let (checked, ran) = (env.jetond(&["check"]), run());
        assert_eq!((checked.code, ran.code), (0, 0), "{checked:?} {ran:?}");
        let second = checked
            .stderr
            .contains("research: with reissue = \"kills-old\", this daemon and a second one");
        assert_eq!(second, says, "{checked:?}");
        let own = ran
            .stderr
            .contains("this daemon and any other with the same client end each other's tokens");
        assert_eq!(own, says, "{ran:?}");
        if !says {
            set_reissue(&env);
        }
    }
    // The only daemon of a machine does not warn about a second one.
    let mut daemon = env.start();
    env.stop(&mut daemon);
    assert!(!daemon.log().contains("end each other's tokens"));
}
