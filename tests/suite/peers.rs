//! Peer check: the user that the kernel reports decides about access. The tests open the folders, so that nothing else
//! protects the sockets.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::enrol::write_config;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::users::{Installed, User, install, is_root_or_skip};
use crate::support::{TestEnv, ignored};

/// A user that does not exist.
const STRANGER: User = User {
    uid: 65_533,
    gid: 65_533,
    groups: &[],
};

/// Opens every parent folder and both sockets to all users.
fn open_up(env: &TestEnv, daemon: &Daemon) {
    let chmod =
        |path: &Path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    // The daemon serves on one socket before it has created the other one.
    wait_until("the admin socket", || daemon.admin.exists());
    for folder in ["", "run", "run/jeton", "run/jeton-admin"] {
        chmod(&env.path(folder), 0o755);
    }
    chmod(&daemon.socket, 0o666);
    chmod(&daemon.admin, 0o666);
}

#[test]
fn another_user_gets_403_and_no_details_with_any_file_modes() {
    if !is_root_or_skip("another_user_gets_403_and_no_details_with_any_file_modes") {
        return;
    }
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    open_up(&env, &daemon);
    for (method, target) in [
        ("GET", "/v1/profiles/research/token"),
        ("GET", "/v1/profiles"),
        ("GET", "/v1/profiles/absent"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("POST", "/v1/profiles/research/refresh"),
        ("POST", "/v1/helper"),
        ("POST", "/v1/reload"),
        ("GET", "/nothing"),
    ] {
        for socket in [&daemon.socket, &daemon.admin] {
            let (response, rest) = STRANGER.ask(&env, socket, method, target);
            assert_eq!(response.status, 403, "{target}");
            assert_eq!(response.code(), "forbidden");
            assert_eq!(response.header("cache-control"), Some("no-store"));
            assert_eq!(response.header("connection"), Some("close"));
            assert_eq!(rest, b"", "the connection ends");
            let text = response.text();
            assert!(
                !text.contains("research") && !text.contains("profile"),
                "{text}"
            );
        }
    }
    let jeton = install(env!("CARGO_BIN_EXE_jeton"));
    for args in [&["token"][..], &["status"], &["reload"], &["ready"]] {
        let command = STRANGER.command(&env, &jeton.program, args);
        let output = env.finish("jeton of a stranger", command, b"", false);
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (77, ""),
            "{output:?}"
        );
    }
    assert_eq!(
        env.get(&daemon, "/v1/profiles/research").json()["counts"]["requests"],
        0
    );
    daemon.wait_for_log("refused: not the daemon's user");
    env.token(&daemon, "research");
    env.stop(&mut daemon);
}

/// Gives the test environment to the stranger, and installs a daemon that the stranger can run.
fn give_away(env: &TestEnv) -> Installed {
    fs::set_permissions(env.path(""), PermissionsExt::from_mode(0o711)).unwrap();
    for folder in ["home", "run", "state", "config", "tmp"] {
        chown(env.path(folder), Some(STRANGER.uid), Some(STRANGER.uid)).unwrap();
    }
    install(env!("CARGO_BIN_EXE_jetond"))
}

#[test]
fn a_daemon_of_another_user_serves_that_user_and_root() {
    if !is_root_or_skip("a_daemon_of_another_user_serves_that_user_and_root") {
        return;
    }
    let env = TestEnv::with_sandbox(3_600);
    let jetond = give_away(&env);
    let secret = env.secret_file();
    chown(&secret, Some(STRANGER.uid), Some(STRANGER.uid)).unwrap();
    let url = env.sandbox().url();
    let args = [
        "add",
        "research",
        "--provider",
        "runai",
        "--url",
        &url,
        "--client-id",
        "test-client",
        "--client-secret-file",
        secret.to_str().unwrap(),
    ];
    let added = env.finish(
        "jetond add",
        STRANGER.command(&env, &jetond.program, &args),
        b"",
        false,
    );
    assert_eq!(added.code, 0, "{added:?}");
    let mut daemon = env.start_command(STRANGER.command(&env, &jetond.program, &["run"]));
    assert!(!env.token(&daemon, "research").is_empty(), "root is served");
    let (response, _) = STRANGER.ask(&env, &daemon.socket, "GET", "/v1/profiles");
    assert_eq!(response.status, 200, "the daemon's own user is served");
    assert_eq!(response.json()["profiles"][0]["profile"], "research");
    env.stop(&mut daemon);
}

#[test]
fn in_a_user_namespace_only_the_daemons_own_user_is_served() {
    if !is_root_or_skip("in_a_user_namespace_only_the_daemons_own_user_is_served") {
        return;
    }
    let possible = Command::new("unshare")
        .args(["-Ur", "true"])
        .stderr(Stdio::null())
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        ignored("in_a_user_namespace_only_the_daemons_own_user_is_served: no user namespaces here");
        return;
    }
    let env = TestEnv::new();
    // The IDs in a rule are those of the host, so no rule applies inside the user namespace.
    let everybody = "[socket]\nmode = 'all'\n[profiles.a]\nprovider = 'runai'\nurl = 'https://127.0.0.1:1'\n\
                     [[profiles.a.allow]]\nuid = '0-4294967294'\n[[profiles.a.allow]]\ngid = '0-4294967294'\n";
    write_config(&env, everybody);
    // Inside, root is still root, and no other user has an ID.
    let mut command = env.command("unshare");
    command.args(["-Ur", env!("CARGO_BIN_EXE_jetond"), "run"]);
    let mut daemon = env.start_command(command);
    open_up(&env, &daemon);
    daemon.wait_for_log("in a user namespace: only this user is served");
    assert_eq!(env.get(&daemon, "/healthz").status, 200);
    let (refused, _) = STRANGER.ask(&env, &daemon.socket, "GET", "/healthz");
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (403, "forbidden")
    );
    daemon.wait_for_log("peer.uid=65534");
    env.stop(&mut daemon);
}

#[test]
fn without_a_runtime_folder_the_start_is_refused_with_the_reason() {
    if !is_root_or_skip("without_a_runtime_folder_the_start_is_refused_with_the_reason") {
        return;
    }
    let env = TestEnv::new();
    let jetond = give_away(&env);
    assert!(!Path::new(&format!("/run/user/{}", STRANGER.uid)).exists());
    let mut command = STRANGER.command(&env, &jetond.program, &["run"]);
    command.env_remove("XDG_RUNTIME_DIR");
    let output = env.finish("jetond", command, b"", false);
    assert_eq!(output.code, 78, "{output:?}");
    assert!(output.stderr.contains("/run/jeton"), "{output:?}");
}
