//! Who may ask for a rotation, and how it is asked.

use crate::support::TestEnv;
use crate::terminal::Terminal;

#[test]
fn a_rotation_is_asked_for_at_the_admin_socket_alone() {
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
    // The companion is sent on to the admin socket, and has its answer from there.
    let unknown = env.jeton(&["rotate", "b"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (78, ""));
    let status = env.get(&daemon, "/v1/profiles/a").json();
    assert!(status["key"]["stored_at"].is_u64(), "{status}");
    assert!(status["rotation"].is_null(), "{status}");
    env.stop(&mut daemon);
}

#[test]
fn a_rotation_in_place_is_asked_about_at_a_terminal_and_needs_a_word_elsewhere() {
    let env = TestEnv::with_sandbox(60);
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
    // The key is as it was.
    let refreshed = env.jeton(&["refresh", "a"]);
    assert_eq!(refreshed.code, 0, "{refreshed:?}");
    env.stop(&mut daemon);
}
