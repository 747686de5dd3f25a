//! Rotations in place in the real daemon: answers are lost, calls are executed late, and processes are killed.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which stop at the first surprise as tests do"
)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use jetond::sandbox::{Line, OldTokens};
use rustix::process::Signal;
use serde_json::Value;

use crate::app::{self, end, fault_for, started, stored_secret};
use crate::support::TestEnv;
use crate::support::daemon::wait_until;
use crate::terminal::Terminal;

const JETON: &str = env!("CARGO_BIN_EXE_jeton");

fn slot(env: &TestEnv, profile: &str) -> String {
    let path = env.path(&format!("state/jeton/kept/{profile}.json"));
    fs::read_to_string(path).unwrap_or_default()
}

fn has_journal(env: &TestEnv, profile: &str) -> bool {
    env.path(&format!("state/jeton/rotations/{profile}.json"))
        .exists()
}

/// Nothing is left of the rotation, and the stored secret is one of the issuer's that gets a token.
fn assert_ended(env: &TestEnv, profile: &str) {
    assert!(!has_journal(env, profile), "{profile}");
    assert_eq!(slot(env, profile), "", "{profile}");
    let record: Value = serde_json::from_slice(&fs::read(env.record(profile)).unwrap()).unwrap();
    assert!(record["rotation_id"].is_null() && record["previous"].is_null());
    let secret = stored_secret(env, profile);
    assert!(env.sandbox().secrets().contains(&secret), "{profile}");
    let refreshed = env.jeton(&["refresh", profile]);
    assert_eq!(refreshed.code, 0, "{profile}: {refreshed:?}");
}

/// Asks for a rotation by a caller that leaves once the daemon has begun it.
fn begin(env: &TestEnv, profile: &str, has_begun: impl FnMut() -> bool) {
    let mut command = env.command(JETON);
    command.args(["rotate", profile, "--in-place", "--yes"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut caller = command.spawn().unwrap();
    wait_until("the rotation to begin", has_begun);
    caller.kill().unwrap();
    caller.wait().unwrap();
}

#[test]
fn an_in_place_rotation_survives_lost_answers_late_calls_and_kills() {
    let (env, mut daemon) = started(Line::V2_24, 3_600);
    let profiles = ["swallowed", "executed", "late", "hanging", "stored"];
    for profile in profiles {
        let made = env.jetond(&["app", "create", profile, "research", "--enrol", profile]);
        assert_eq!(made.code, 0, "{made:?}");
        env.token(&daemon, profile);
    }
    let before = profiles.map(|profile| stored_secret(&env, profile));
    let count = || env.sandbox().stats().keys_regenerated;
    for (profile, fault) in [
        ("swallowed", "swallow"),
        ("executed", "executed:status:500"),
        ("late", "late:1"),
    ] {
        let so_far = count();
        fault_for(&env, fault, 1);
        // The call whose answer is lost, and the one that makes it good.
        begin(&env, profile, || count() == so_far + 2);
    }
    // Killed while the answer is on its way.
    let so_far = count();
    fault_for(&env, "executed:hang", 1);
    begin(&env, "hanging", || count() == so_far + 1);
    // Killed while the answer is kept and the record cannot be written.
    let folder = env.path("state/jeton/credentials");
    let set_mode = |mode| fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
    let so_far = count();
    env.fault("keys:slow:1");
    begin(&env, "stored", || count() == so_far + 1);
    set_mode(0o755);
    wait_until("the answer to be kept", || {
        let slot = slot(&env, "stored");
        slot.contains("\"answer\": \"")
    });
    env.fault("none");
    daemon.signal(Signal::KILL);
    daemon.wait();
    set_mode(0o700);
    assert_eq!(stored_secret(&env, "stored"), before[4]);
    for profile in profiles {
        assert!(has_journal(&env, profile), "{profile}");
    }

    let (began, daemon) = (Instant::now(), env.start());
    std::thread::scope(|scope| {
        let callers = profiles.map(|profile| {
            let mut command = env.command(JETON);
            command.args(["rotate", profile, "--in-place", "--yes", "--json"]);
            scope.spawn(move || command.output().unwrap())
        });
        for (profile, caller) in profiles.iter().zip(callers) {
            let ended = caller.join().unwrap();
            env.add_output("jeton's stdout", &ended.stdout, false);
            env.add_output("jeton's stderr", &ended.stderr, false);
            let text = String::from_utf8(ended.stdout).unwrap();
            assert!(ended.status.success(), "{profile}: {text}");
            let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
            assert_eq!(last["end"], "done", "{profile}: {last}");
            assert!(began.elapsed() >= Duration::from_secs(60), "{profile}");
        }
    });
    for (profile, before) in profiles.iter().zip(before) {
        assert!(stored_secret(&env, profile) != before, "{profile}");
        assert_ended(&env, profile);
    }
    // Their tokens are served all the time, and no second key was made.
    assert_eq!(env.sandbox().applications().len(), profiles.len() + 1);
    end(env, daemon);
}

#[test]
fn where_old_tokens_are_revoked_a_lost_answer_needs_a_new_secret() {
    let (env, mut daemon) = started(Line::V2_24, 3_600);
    env.token(&daemon, "research");
    env.sandbox().set_old_tokens(OldTokens::Die);
    fault_for(&env, "swallow", 1);
    let before = stored_secret(&env, "research");
    let failed = env.jetond(&["app", "regenerate", "test-client", "--yes"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    for says in ["first-key is locked out", "jetond add research --rebind"] {
        assert!(failed.stderr.contains(says), "{says}: {failed:?}");
    }
    let is_told = |daemon: &_| {
        let status = env.get(daemon, "/v1/profiles/research").json();
        status["rotation"]["needs_human"] == true
    };
    assert!(is_told(&daemon));
    assert_eq!(env.sandbox().stats().keys_regenerated, 1);
    assert_eq!(stored_secret(&env, "research"), before);
    assert!(has_journal(&env, "research") && !slot(&env, "research").is_empty());
    // A person gives it up.
    env.stop(&mut daemon);
    let removed = env.jetond(&["remove", "research", "--yes", "--force"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert!(!has_journal(&env, "research"));
    assert_eq!(slot(&env, "research"), "");
    app::watch(env);
}

#[test]
fn a_service_account_key_is_rotated_only_in_place() {
    let (env, daemon) = started(Line::V3_0, 3_600);
    let kind = ["--kind", "service-account"];
    let made = ["app", "create", "robot", "research", "--enrol", "robot"];
    let made = env.jetond(&[&made[..], &kind[..]].concat());
    assert_eq!(made.code, 0, "{made:?}");
    env.token(&daemon, "robot");
    let refused = env.jeton(&["rotate", "robot", "--with", "research"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(refused.stdout.contains("--in-place"), "{refused:?}");
    let before = stored_secret(&env, "robot");
    let rotated = env.jeton(&[
        "rotate",
        "robot",
        "--in-place",
        "--yes",
        "--with",
        "research",
    ]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    assert!(
        rotated.stdout.contains("robot has a new secret"),
        "{rotated:?}"
    );
    assert!(stored_secret(&env, "robot") != before);
    assert_ended(&env, "robot");
    end(env, daemon);
}

#[test]
fn an_in_place_rotation_that_cannot_start_is_refused_before_the_confirmation() {
    let line = [JETON, "rotate", "research", "--in-place"];
    let asked = |env: &TestEnv, typed: Option<&str>| {
        let mut terminal = Terminal::run(env, &line, &[]);
        if let Some(typed) = typed {
            terminal.wait_for("type the profile's name");
            terminal.type_in(typed);
        }
        let (status, shown) = terminal.end(env);
        (status.code(), shown)
    };
    let (env, daemon) = started(Line::V2_24, 600);
    env.token(&daemon, "research");
    let (code, shown) = asked(&env, None);
    assert_eq!(code, Some(78), "{shown}");
    assert!(
        shown.contains("900 s") && !shown.contains("To go on"),
        "{shown}"
    );
    end(env, daemon);

    let (env, daemon) = started(Line::V2_24, 3_600);
    env.token(&daemon, "research");
    // Another profile has the same key.
    env.enrol("twin");
    wait_until("both to be kept", || {
        let (code, shown) = asked(&env, None);
        assert_ne!(code, Some(0), "{shown}");
        shown.contains("other profiles use the same key") && shown.contains("twin")
    });
    assert_eq!(env.jetond(&["remove", "twin", "--yes"]).code, 0);
    let (code, shown) = asked(&env, Some("yes\n"));
    assert_eq!(code, Some(64), "{shown}");
    assert_eq!(env.sandbox().stats().keys_regenerated, 0);
    let (code, shown) = asked(&env, Some("research\n"));
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("has a new secret"), "{shown}");
    assert_eq!(
        app::key(&env, "first-key").unwrap().client_id,
        "test-client"
    );
    assert_ended(&env, "research");
    end(env, daemon);
}
