//! Rotations that wait for another daemon, for a store or for a profile, and what status and `whoami` say about them.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};

use jetond::sandbox::{Line, Setting};
use rustix::process::Signal;
use serde_json::Value;

use crate::app;
use crate::enrol::write_config;
use crate::support::TestEnv;
use crate::support::daemon::{Daemon, accepts, wait_until};
use crate::support::keyring::Bus;

const JETON: &str = env!("CARGO_BIN_EXE_jeton");
const PASSWORD: Option<&str> = Some("a password of the keyring");

fn set(env: &TestEnv, setting: &str) {
    env.sandbox().set(setting.parse::<Setting>().unwrap());
}

/// A profile with a key of its own beside `research`.
fn make(env: &TestEnv, daemon: &Daemon) {
    let made = env.jetond(&[
        "app",
        "create",
        "batch-jobs",
        "research",
        "--enrol",
        "batch",
    ]);
    assert_eq!(made.code, 0, "{made:?}");
    env.token(daemon, "batch");
}

fn status(env: &TestEnv, daemon: &Daemon, profile: &str) -> Value {
    env.get(daemon, &format!("/v1/profiles/{profile}")).json()
}

/// Returns the open rotation's current step in one sentence; empty without a rotation.
fn detail(env: &TestEnv, daemon: &Daemon, profile: &str) -> String {
    let status = status(env, daemon, profile);
    status["rotation"]["detail"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Returns what `jeton` shows, with a space in place of each line break and indentation.
fn shown(env: &TestEnv, verb: &str, profile: &str) -> String {
    let shown = env.jeton(&[verb, profile]).stdout;
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A caller of `jeton`, which is killed when the test ends.
struct Caller(Child);

impl Caller {
    fn of(env: &TestEnv, daemon: &Daemon, args: &[&str]) -> Self {
        let mut command = env.command(JETON);
        command
            .args(args)
            .env("JETON_SOCKET", &daemon.socket)
            .env("JETON_ADMIN_SOCKET", &daemon.admin)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts another daemon with the same configuration and state.
fn second_daemon(env: &TestEnv) -> Daemon {
    let sockets = ["run/second/s.sock", "run/second-admin/a.sock"].map(|path| env.path(path));
    let [socket, admin] = &sockets;
    let args = [
        "--socket",
        socket.to_str().unwrap(),
        "--admin-socket",
        admin.to_str().unwrap(),
    ];
    let mut daemon = env.spawn(&args);
    wait_until("the second daemon", || {
        sockets.iter().all(|path| accepts(path))
    });
    [daemon.socket, daemon.admin] = sockets;
    daemon
}

#[test]
fn a_second_daemon_continues_a_rotation_only_after_the_first_daemon_ends() {
    let (env, mut first) = app::started(Line::V2_24, 3_600);
    set(&env, "last-login:null");
    make(&env, &first);
    let second = second_daemon(&env);
    env.token(&second, "batch");
    let rotated = env.jeton(&["rotate", "batch"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    let mut command = env.command(JETON);
    command
        .args(["rotate", "batch", "--wait"])
        .env("JETON_SOCKET", &second.socket)
        .env("JETON_ADMIN_SOCKET", &second.admin);
    let refused = env.finish("jeton at the second daemon", command, b"", false);
    assert_ne!(refused.code, 0, "{refused:?}");
    let says = format!("{}{}", refused.stdout, refused.stderr);
    assert!(says.contains("another daemon"), "{refused:?}");
    assert_eq!(env.sandbox().applications().len(), 3);

    first.signal(Signal::KILL);
    first.wait();
    let reloaded = env.request(&second.admin, "POST", "/v1/reload", &[], b"");
    assert_eq!(reloaded.status, 200, "{reloaded:?}");
    wait_until("the second daemon to go on", || {
        status(&env, &second, "batch")["rotation"]["switched"] == true
    });
    let finishing = Caller::of(&env, &second, &["rotate", "batch", "--finish"]);
    wait_until("the deletion of the old key", || {
        app::key(&env, "batch-jobs").is_none()
    });
    drop(finishing);
    env.token(&second, "batch");
    assert_eq!(env.sandbox().applications().len(), 2);
    app::end(env, second);
}

/// A profile `research` whose credential is in a keyring, and a daemon that holds its token.
fn in_keyring(env: &TestEnv) -> Daemon {
    let (url, secret) = (env.sandbox().url(), env.secret_file());
    let secret = secret.to_str().unwrap();
    let mut args = vec!["add", "research", "--provider", "runai", "--url", &url];
    args.extend(["--client-id", "test-client", "--client-secret-file", secret]);
    let added = env.jetond(&args);
    assert_eq!(added.code, 0, "{added:?}");
    assert!(!env.record("research").exists());
    let daemon = env.start();
    env.token(&daemon, "research");
    daemon
}

#[test]
fn a_rotation_in_a_keyring_is_detected_without_its_journal() {
    let env = TestEnv::with_sandbox(3_600);
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    bus.keyring(PASSWORD);
    let mut daemon = in_keyring(&env);
    let rotated = env.jeton(&["rotate", "research"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    daemon.signal(Signal::KILL);
    daemon.wait();
    let journal = env.path("state/jeton/rotations/research.json");
    fs::remove_file(&journal).unwrap();

    let daemon = env.start();
    env.token(&daemon, "research");
    // A keyring may write late, so the record is judged after a minute.
    wait_until("the rotation to be found", || {
        detail(&env, &daemon, "research").contains("the keyring, which may still make")
    });
    wait_until("its journal to be written again", || journal.exists());
    assert_eq!(env.sandbox().applications().len(), 2);
    drop(bus);
    app::end(env, daemon);
}

#[test]
fn a_rotation_waits_for_a_locked_keyring_and_status_shows_the_wait() {
    let env = TestEnv::with_sandbox(3_600);
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    bus.keyring(PASSWORD);
    let daemon = in_keyring(&env);
    set(&env, "last-login:null");
    let rotated = env.jeton(&["rotate", "research"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    bus.lock();
    let finishing = Caller::of(&env, &daemon, &["rotate", "research", "--finish"]);
    wait_until("the wait for the keyring", || {
        detail(&env, &daemon, "research").contains("its stored credential cannot be read now")
    });
    let waits = status(&env, &daemon, "research");
    assert!(waits["rotation"]["waits_since"].is_u64(), "{waits}");
    assert!(app::key(&env, "first-key").is_some());
    env.token(&daemon, "research");

    bus.keyring(PASSWORD);
    wait_until("the deletion of the old key", || {
        app::key(&env, "first-key").is_none()
    });
    wait_until("the end", || {
        status(&env, &daemon, "research")["rotation"].is_null()
    });
    env.token(&daemon, "research");
    drop((finishing, bus));
    app::end(env, daemon);
}

#[test]
fn whoami_and_status_show_key_age_next_rotation_and_what_a_rotation_waits_for() {
    let (env, daemon) = app::started(Line::V2_24, 3_600);
    make(&env, &daemon);
    let config = fs::read_to_string(env.config()).unwrap();
    let section = "[profiles.batch]\n";
    assert!(config.contains(section), "{config}");
    let by_age = config.replace(section, "[profiles.batch]\nrotate-every = \"30d\"\n");
    write_config(&env, by_age);
    assert_eq!(env.jeton(&["reload"]).code, 0);
    wait_until("its age", || {
        let who = env.jeton(&["whoami", "batch", "--json"]);
        let who: Value = serde_json::from_str(&who.stdout).unwrap();
        who["key_age"].is_u64() && who["key_rotates_at"].is_u64()
    });
    for verb in ["whoami", "status"] {
        let shown = shown(&env, verb, "batch");
        assert!(shown.contains("its key is "), "{shown}");
        assert!(shown.contains("it is rotated in 2"), "{shown}");
    }

    env.fault("keys:status:503");
    let waiting = Caller::of(&env, &daemon, &["rotate", "batch"]);
    for verb in ["whoami", "status"] {
        wait_until("the wait", || {
            let detail = detail(&env, &daemon, "batch");
            let shown = shown(&env, verb, "batch");
            detail.starts_with("waiting for the control plane: ")
                && shown.contains("its key is being rotated (waiting, since ")
                && shown.contains(&detail)
        });
    }
    env.fault("none");
    drop(waiting);
    app::end(env, daemon);
}

#[test]
fn a_rotation_waits_for_its_managing_profile_until_another_one_is_named() {
    let (env, daemon) = app::started(Line::V2_24, 3_600);
    set(&env, "last-login:null");
    make(&env, &daemon);
    let rotated = env.jeton(&["rotate", "batch", "--with", "research"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    let removed = env.jetond(&["remove", "research", "--yes", "--force"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    let finishing = Caller::of(&env, &daemon, &["rotate", "batch", "--finish"]);
    let gone = "the profile research, which is not in the configuration";
    wait_until("the wait for the profile", || {
        detail(&env, &daemon, "batch").contains(gone)
    });
    let shown = shown(&env, "status", "batch");
    for says in [gone, "jeton rotate batch --with PROFILE"] {
        assert!(shown.contains(says), "{says}: {shown}");
    }
    env.token(&daemon, "batch");
    assert!(app::key(&env, "batch-jobs").is_some());

    let ended = env.jeton(&["rotate", "batch", "--finish", "--with", "batch"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(app::key(&env, "batch-jobs").is_none());
    drop(finishing);
    app::end(env, daemon);
}

#[test]
fn a_refused_rotation_names_all_profiles_that_share_or_may_share_the_key() {
    let env = TestEnv::with_sandbox(3_600);
    for profile in ["research", "twin", "unreadable"] {
        env.enrol(profile);
    }
    fs::set_permissions(env.record("unreadable"), Permissions::from_mode(0o644)).unwrap();
    let (url, secret) = (env.sandbox().url(), env.secret_file());
    let secret = secret.display();
    let section = format!(
        "\n[profiles.sourced]\nprovider = \"runai\"\nurl = \"{url}\"\nclient-id = \"test-client\"\nclient-secret = {{ file = \"{secret}\" }}\n"
    );
    write_config(&env, fs::read_to_string(env.config()).unwrap() + &section);
    let daemon = env.start();
    for profile in ["research", "twin", "sourced"] {
        env.token(&daemon, profile);
    }
    let mut refused = vec![env.jeton(&["rotate", "research"])];
    assert_eq!(refused[0].code, 78, "{refused:?}");
    for name in ["sourced", "twin", "unreadable"] {
        assert!(refused[0].stdout.contains(name), "{name}: {refused:?}");
    }
    refused.push(env.jeton(&["rotate", "research", "--in-place", "--yes"]));
    assert_eq!(refused[1].code, 78, "{refused:?}");
    for name in ["sourced", "twin", "unreadable"] {
        assert!(refused[1].stderr.contains(name), "{name}: {refused:?}");
    }
    let stats = env.sandbox().stats();
    assert_eq!((stats.keys_created, stats.keys_regenerated), (0, 0));
    fs::set_permissions(env.record("unreadable"), Permissions::from_mode(0o600)).unwrap();
    app::end(env, daemon);
}
