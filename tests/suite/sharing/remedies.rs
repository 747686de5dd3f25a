//! Remedies for a refused path: the user can follow each one, and doing so harms nothing.

use std::os::unix::fs::chown;

use super::places::Home;
use super::*;
use crate::enrol::write_config;
use crate::support::env::Output;
use crate::support::mounts::{can_mount_or_skip, in_mounts};
use crate::support::users::{install, is_root_or_skip};

/// The ways to choose a path for the sockets if there is no usual one.
const WAYS: [&str; 3] = ["XDG_RUNTIME_DIR", "--socket", "run -- CMD"];

/// Advice that must never be given.
const NEVER: [&str; 4] = ["chmod 700 /tmp", "chmod go-w /tmp", "chown", "secret"];

#[track_caller]
fn assert_refused(env: &TestEnv, output: &Output, says: &[&str]) {
    assert_eq!(output.code, 78, "{output:?}");
    for says in says {
        assert!(output.stderr.contains(says), "{says}: {output:?}");
    }
    // The test environment itself is below such a folder.
    let place = env.path("").display().to_string();
    let text = output.stderr.replace(&place, "PLACE/");
    for never in NEVER {
        assert!(!text.contains(never), "{never}: {output:?}");
    }
}

#[test]
fn the_remedy_for_a_socket_in_a_system_folder_is_a_subfolder() {
    if !is_root_or_skip("the_remedy_for_a_socket_in_a_system_folder_is_a_subfolder") {
        return;
    }
    let env = TestEnv::new();
    chmod(&env.path(""), 0o711);
    let jetond = install(env!("CARGO_BIN_EXE_jetond"));
    let home = Home::new(&env, "a", ALICE);
    let as_alice = |socket: &str| {
        let mut command = ALICE.command(&env, &jetond.program, &["run", "--socket", socket]);
        home.surround(&mut command);
        env.finish("jetond of alice", command, b"", false)
    };
    let name = format!("jeton-test-{}.sock", std::process::id());
    for (folder, of_root, of_alice) in [
        (
            "/tmp",
            "--socket /tmp/jeton/jeton.sock",
            "--socket /tmp/jeton-60001/jeton.sock",
        ),
        (
            "/run",
            "--socket /run/jeton/jeton.sock",
            "another place with --socket or JETON_SOCKET",
        ),
        (
            "/etc",
            "--socket /etc/jeton/jeton.sock",
            "another place with --socket or JETON_SOCKET",
        ),
    ] {
        let socket = format!("{folder}/{name}");
        let before = found(Path::new(folder));
        assert_refused(&env, &env.jetond(&["run", "--socket", &socket]), &[of_root]);
        assert_refused(&env, &as_alice(&socket), &[of_alice]);
        assert_eq!(found(Path::new(folder)), before);
        assert!(!Path::new(&socket).exists());
    }
    // The advice about a sticky folder works as printed.
    let sticky = env.path("sticky");
    fs::create_dir(&sticky).unwrap();
    chmod(&sticky, 0o1777);
    let refused = env.jetond(&["run", "--socket", sticky.join("s").to_str().unwrap()]);
    let socket = sticky.join("jeton/jeton.sock");
    assert_refused(
        &env,
        &refused,
        &[&format!("--socket {}\n", socket.display())],
    );
    let command = env.jetond_command(&["run", "--socket", socket.to_str().unwrap()]);
    let mut daemon = start_at(&env, command, &socket);
    env.stop(&mut daemon);
}

#[test]
fn the_remedy_for_an_open_folder_does_not_ask_for_a_new_secret() {
    let env = TestEnv::new();
    let folder = env.path("tokens");
    fs::create_dir(&folder).unwrap();
    chmod(&folder, 0o750);
    let socket = folder.join("jeton.sock");
    let refused = env.jetond(&["run", "--socket", socket.to_str().unwrap()]);
    assert_refused(
        &env,
        &refused,
        &[&format!("chmod 700 {}", folder.display())],
    );
    // A credentials folder that others can list does not reveal a secret, because each file in it is accessible to its
    // owner only.
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let credentials = env.path("state/jeton/credentials");
    chmod(&credentials, 0o755);
    let refused = env.jetond(&["check"]);
    assert_refused(
        &env,
        &refused,
        &[&format!("chmod 700 {}", credentials.display())],
    );
    chmod(&credentials, 0o700);
    let lock = env.path("state/jeton/locks/research.lock");
    fs::write(&lock, "").unwrap();
    chmod(&lock, 0o644);
    let refused = env.jetond(&["remove", "research"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(!refused.stderr.contains("secret"), "{refused:?}");
    fs::remove_file(&lock).unwrap();
    // A record that others can read is different: its secret must be replaced.
    chmod(&env.record("research"), 0o644);
    let refused = env.jetond(&["check"]);
    let says = format!(
        "chmod 600 {}, and replace the secret",
        env.record("research").display()
    );
    assert!(refused.stderr.contains(&says), "{refused:?}");
}

#[test]
fn root_with_another_users_environment_leaves_that_home_unchanged() {
    if !is_root_or_skip("root_with_another_users_environment_leaves_that_home_unchanged") {
        return;
    }
    let env = TestEnv::new();
    chmod(&env.path(""), 0o711);
    let jetond = install(env!("CARGO_BIN_EXE_jetond"));
    write_config(&env, "# fine");
    // Root with Alice's environment, as sudo leaves it.
    for folder in ["config", "run"] {
        chown(env.path(folder), Some(ALICE.uid), Some(ALICE.gid)).unwrap();
    }
    let checked = env.jetond(&["check"]);
    assert_refused(
        &env,
        &checked,
        &[
            "it belongs to uid 60001",
            "run this as uid 60001, or name another one with --config",
        ],
    );
    // Alice with Bob's home.
    chown(env.path("config"), Some(BOB.uid), Some(BOB.gid)).unwrap();
    chmod(&env.path("config"), 0o755);
    let command = ALICE.command(&env, &jetond.program, &["check"]);
    let checked = env.finish("check", command, b"", false);
    assert_refused(
        &env,
        &checked,
        &["it belongs to uid 60002", "--config or JETON_CONFIG"],
    );
    // If only root can fix a mode, the advice is for root.
    chown(env.path("config"), Some(0), Some(0)).unwrap();
    chmod(&env.path("config"), 0o777);
    let command = ALICE.command(&env, &jetond.program, &["check"]);
    let checked = env.finish("check", command, b"", false);
    let says = format!(
        "chmod go-w {} as root, or name another one",
        env.path("config").display()
    );
    assert_refused(&env, &checked, &[&says]);
}

#[test]
fn without_a_runtime_folder_three_working_remedies_are_offered() {
    if !can_mount_or_skip("without_a_runtime_folder_three_working_remedies_are_offered") {
        return;
    }
    let env = TestEnv::new();
    chmod(&env.path(""), 0o711);
    let jetond = install(env!("CARGO_BIN_EXE_jetond"));
    let home = Home::new(&env, "a", ALICE);
    let run = |prepare: &str, runtime: Option<&str>, args: &[&str]| {
        let prepare = format!("mount -t tmpfs -o mode=755 tmpfs /run\n{prepare}");
        let mut command = in_mounts(&env, &prepare, ALICE, &jetond.program, args);
        home.surround(&mut command);
        command.env_remove("XDG_RUNTIME_DIR");
        command.envs(runtime.map(|folder| ("XDG_RUNTIME_DIR", folder)));
        env.finish("jetond without a runtime folder", command, b"", false)
    };
    for (prepare, runtime, path) in [
        ("", None, "/run/jeton: "),
        // The system's daemon uses it.
        ("mkdir /run/jeton", None, "/run/jeton: "),
        ("mkdir -m 700 /run/jeton", None, "/run/jeton: "),
        // A runtime folder that a Slurm job inherits, but that does not exist on the job's node.
        ("", Some("/run/user/60001"), "/run/user: "),
        (
            "mkdir -p /run/user",
            Some("/run/user/60001"),
            "/run/user/60001: ",
        ),
        // The variable that `su` leaves.
        (
            "mkdir -p /run/user; mkdir -m 700 /run/user/0",
            Some("/run/user/0"),
            "/run/user/0/jeton: ",
        ),
    ] {
        let refused = run(prepare, runtime, &["run"]);
        assert_refused(&env, &refused, &WAYS);
        assert_refused(&env, &refused, &[path]);
        assert_eq!(refused.stderr.lines().count(), 1, "{refused:?}");
    }
    let served = run(
        "",
        None,
        &["run", "--", "sh", "-c", "test -S \"$JETON_SOCKET\""],
    );
    assert_eq!(served.code, 0, "{served:?}");
    for (variable, path) in [
        ("XDG_RUNTIME_DIR", home.root.join("run")),
        ("JETON_SOCKET", home.root.join("run/mine/jeton.sock")),
    ] {
        let folder = if variable == "JETON_SOCKET" {
            "mine"
        } else {
            "jeton"
        };
        let mut command = ALICE.command(&env, &jetond.program, &["run"]);
        home.surround(&mut command);
        command.env_remove("XDG_RUNTIME_DIR").env(variable, path);
        let socket = home.root.join(format!("run/{folder}/jeton.sock"));
        let mut daemon = start_at(&env, command, &socket);
        env.stop(&mut daemon);
    }
}
