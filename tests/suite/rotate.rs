//! Requests for a rotation: access rights and form.

use jetond::sandbox::Line;
use serde_json::Value;

use crate::app;
use crate::support::TestEnv;
use crate::terminal::Terminal;

#[test]
fn a_rotation_can_be_requested_only_at_the_admin_socket() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("a");
    let mut daemon = env.start();
    env.token(&daemon, "a");
    let target = "/v1/profiles/a/rotate";
    let refused = env.request(&daemon.socket, "POST", target, &[], b"");
    assert_eq!((refused.status, refused.code()), (403, "forbidden".into()));
    for (target, body, status, code) in [
        (target, "{\"inplace\":true}", 400, "bad_request"),
        (target, "{\"wait\":1}", 400, "bad_request"),
        (target, "{\"with\":\"No Name\"}", 400, "bad_request"),
        ("/v1/profiles/b/rotate", "", 404, "unknown_profile"),
    ] {
        let refused = env.request(&daemon.admin, "POST", target, &[], body.as_bytes());
        assert_eq!((refused.status, refused.code()), (status, code.into()));
    }
    // The companion repeats the request at the admin socket, and prints the answer from there.
    let unknown = env.jeton(&["rotate", "b"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (78, ""));
    let status = env.get(&daemon, "/v1/profiles/a").json();
    assert!(status["key"]["stored_at"].is_u64(), "{status}");
    assert!(status["rotation"].is_null(), "{status}");
    env.stop(&mut daemon);
}

#[test]
fn an_in_place_rotation_needs_a_confirmation() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("a");
    let mut daemon = env.start();
    env.token(&daemon, "a");
    let refused = env.jeton(&["rotate", "a", "--in-place"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (64, ""));
    assert!(refused.stderr.contains("add --yes"), "{refused:?}");

    let line = [env!("CARGO_BIN_EXE_jeton"), "rotate", "a", "--in-place"];
    let mut terminal = Terminal::run(&env, &line, &[]);
    terminal.wait_for("type the profile's name");
    terminal.type_in("yes\n");
    let (status, shown) = terminal.end(&env);
    assert_eq!(status.code(), Some(64), "{shown}");
    assert!(shown.contains("nothing was done"), "{shown}");
    // The key is unchanged.
    let refreshed = env.jeton(&["refresh", "a"]);
    assert_eq!(refreshed.code, 0, "{refreshed:?}");
    env.stop(&mut daemon);
}

#[test]
fn rotate_reports_its_steps_and_returns_once_the_new_key_is_in_use() {
    // The old key's tokens must expire before the key is deleted.
    let (env, daemon) = app::started(Line::V2_24, 10);
    let made = env.jetond(&["app", "create", "batch-jobs", "--enrol", "batch"]);
    assert_eq!(made.code, 0, "{made:?}");
    let before = app::stored_secret(&env, "batch");
    env.token(&daemon, "batch");

    let rotated = env.jeton(&["rotate", "batch", "--json"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    let steps: Vec<Value> = rotated
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(steps.iter().all(|step| step["profile"] == "batch"));
    assert_eq!(steps.last().unwrap()["step"], "switched", "{steps:?}");
    assert!(app::stored_secret(&env, "batch") != before);
    env.token(&daemon, "batch");

    // The rotation continues without a caller: the old key stays until its tokens have expired.
    let status = env.get(&daemon, "/v1/profiles/batch").json();
    assert_eq!(status["rotation"]["switched"], true, "{status}");
    let table = env.jeton(&["status", "batch"]);
    assert!(
        table.stdout.contains("its key is being rotated"),
        "{table:?}"
    );
    assert!(app::key(&env, "batch-jobs").is_some());

    let finished = env.jeton(&["rotate", "batch", "--finish"]);
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.stdout.contains("ended: "), "{finished:?}");
    assert!(app::key(&env, "batch-jobs").is_none());
    assert_eq!(env.jeton(&["refresh", "batch"]).code, 0);
    app::end(env, daemon);
}
