//! A socket that disappears while the daemon runs: it is created again, or the daemon ends and reports why.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;

use crate::support::daemon::{Daemon, accepts, leave_stale, wait_until};
use crate::support::manager::Manager;
use crate::support::users::{User, install, is_root_or_skip};
use crate::support::wire::{Wire, get};
use crate::support::{TestEnv, ignored};
use crate::wrap;

const JETON: &str = env!("CARGO_BIN_EXE_jeton");

/// A daemon with a token.
fn start(env: &TestEnv) -> Daemon {
    env.enrol("research");
    let daemon = env.start();
    env.token(&daemon, "research");
    daemon
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o777
}

fn inode(path: &Path) -> u64 {
    path.symlink_metadata().unwrap().ino()
}

/// Waits until both sockets exist again and serve, each with its mode and in a folder with its mode.
#[track_caller]
fn assert_serves_again(env: &TestEnv, daemon: &Daemon) {
    for socket in [&daemon.socket, &daemon.admin] {
        wait_until("the socket to be created again", || accepts(socket));
        assert_eq!(mode(socket), 0o600);
        assert_eq!(mode(socket.parent().unwrap()), 0o700);
        let lock = format!("{}.lock", socket.display());
        assert_eq!(mode(Path::new(&lock)), 0o600);
    }
    env.token(daemon, "research");
    let reload = env.jeton(&["reload"]);
    assert_eq!(reload.code, 0, "{reload:?}");
    let second = env.jetond(&["run"]);
    assert_eq!(second.code, 75, "the socket is in use: {second:?}");
}

/// Asserts that the daemon ended with one line that contains these texts, after its log.
#[track_caller]
fn assert_lost(daemon: &mut Daemon, says: &[&str]) {
    assert_eq!(daemon.wait().code(), Some(75), "{}", daemon.log());
    let log = daemon.log();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.starts_with("jetond: "))
        .collect();
    let [line] = lines[..] else {
        unreachable!("one line: {log}")
    };
    for text in says {
        assert!(line.contains(text), "{text:?} in {line}");
    }
}

#[test]
fn a_removed_socket_is_created_again_and_connections_live_on() {
    let env = TestEnv::with_sandbox(3_600);
    let mut daemon = start(&env);
    let mut kept = Wire::new(&env, &daemon.socket);
    let mut watch = Wire::new(&env, &daemon.socket).asks_for_token();
    watch.send(get("/v1/profiles/research/watch")).unwrap();
    for socket in [daemon.socket.clone(), daemon.admin.clone()] {
        let before = inode(&socket);
        fs::remove_file(&socket).unwrap();
        assert_serves_again(&env, &daemon);
        assert_ne!(inode(&socket), before);
        kept.send(get("/healthz")).unwrap();
        assert_eq!(kept.answer().status, 200);
    }
    let log = daemon.log_up_to_now();
    assert_eq!(
        log.matches("the socket was removed; created it again")
            .count(),
        1
    );
    env.stop(&mut daemon);
    assert!(!daemon.socket.exists() && !daemon.admin.exists());
}

#[test]
fn connections_queued_at_the_removed_socket_are_served() {
    let env = TestEnv::with_sandbox(3_600);
    let mut daemon = start(&env);
    daemon.signal(Signal::STOP);
    let mut queued: Vec<_> = (0..20).map(|_| Wire::new(&env, &daemon.socket)).collect();
    fs::remove_file(&daemon.socket).unwrap();
    for wire in &mut queued {
        wire.send(get("/readyz")).unwrap();
    }
    daemon.signal(Signal::CONT);
    for wire in &mut queued {
        assert_eq!(wire.answer().status, 200);
    }
    assert_serves_again(&env, &daemon);
    env.stop(&mut daemon);
}

#[test]
fn folders_that_are_removed_or_moved_are_created_again() {
    let env = TestEnv::with_sandbox(3_600);
    let mut daemon = start(&env);
    let folder = daemon.socket.parent().unwrap();
    fs::remove_dir_all(folder).unwrap();
    assert_serves_again(&env, &daemon);
    fs::rename(folder, env.path("run/moved")).unwrap();
    assert_serves_again(&env, &daemon);
    // Also while a process has the folder open, so that its inode remains.
    let inside = fs::File::open(folder).unwrap();
    fs::remove_dir_all(folder).unwrap();
    assert_serves_again(&env, &daemon);
    drop(inside);
    // Also when the folders above disappear, as at a logout.
    fs::rename(env.path("run"), env.path("gone")).unwrap();
    assert_serves_again(&env, &daemon);
    fs::remove_dir_all(env.path("run")).unwrap();
    assert_serves_again(&env, &daemon);
    env.stop(&mut daemon);
}

#[test]
fn a_stale_socket_at_the_socket_path_is_replaced() {
    let env = TestEnv::with_sandbox(3_600);
    let mut daemon = start(&env);
    let other = env.path("run/other");
    leave_stale(&other);
    fs::rename(&other, &daemon.socket).unwrap();
    wait_until("the socket to be replaced", || accepts(&daemon.socket));
    assert_serves_again(&env, &daemon);
    assert!(
        daemon
            .log_up_to_now()
            .contains("the socket was replaced by another file")
    );
    env.stop(&mut daemon);
}

#[test]
fn a_file_or_a_live_socket_at_the_socket_path_ends_the_daemon() {
    let env = TestEnv::with_sandbox(3_600);
    let mut daemon = start(&env);
    let file = env.path("run/other");
    fs::write(&file, "precious").unwrap();
    fs::rename(&file, &daemon.socket).unwrap();
    let path = daemon.socket.display().to_string();
    assert_lost(&mut daemon, &[&path, "was replaced", "is not a socket"]);
    assert_eq!(fs::read_to_string(&daemon.socket).unwrap(), "precious");
    assert!(!daemon.admin.exists());
    fs::remove_file(&daemon.socket).unwrap();

    let mut daemon = env.start();
    let other = UnixListener::bind(&file).unwrap();
    fs::rename(&file, &daemon.admin).unwrap();
    let path = daemon.admin.display().to_string();
    assert_lost(&mut daemon, &[&path, "a daemon already serves"]);
    assert!(accepts(&daemon.admin) && !daemon.socket.exists());
    drop(other);
}

#[test]
fn a_daemon_ends_if_another_daemon_has_taken_its_socket_paths() {
    let env = TestEnv::with_sandbox(3_600);
    let mut first = start(&env);
    first.signal(Signal::STOP);
    for socket in [&first.socket, &first.admin] {
        fs::remove_dir_all(socket.parent().unwrap()).unwrap();
    }
    let mut second = env.start();
    first.signal(Signal::CONT);
    assert_lost(&mut first, &["a daemon already serves"]);
    env.token(&second, "research");
    assert_eq!(env.jeton(&["reload"]).code, 0);
    env.stop(&mut second);
}

#[test]
fn pending_requests_are_answered_before_a_daemon_that_lost_its_socket_ends() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.fault("hang");
    let mut daemon = env.start();
    let mut waits = Wire::new(&env, &daemon.socket);
    waits
        .send(get("/v1/profiles/research/token?max_wait=2"))
        .unwrap();
    wait_until("the daemon to receive the request", || {
        env.get(&daemon, "/v1/profiles/research").json()["counts"]["requests"] == 1
    });
    fs::write(env.path("run/other"), "").unwrap();
    fs::rename(env.path("run/other"), &daemon.socket).unwrap();
    assert_eq!(waits.answer().status, 504);
    assert_lost(&mut daemon, &["was replaced"]);
    env.fault("none");
}

#[test]
fn repeated_removals_cause_neither_a_hot_loop_nor_a_long_log() {
    let env = TestEnv::with_sandbox(3_600);
    let mut daemon = start(&env);
    let made = "missing again; created it again";
    wait_until("the socket to be created three times", || {
        // A socket that does not exist yet cannot be removed.
        let _ = fs::remove_file(&daemon.socket);
        daemon.log().matches(made).count() >= 3
    });
    assert_serves_again(&env, &daemon);
    let log = daemon.log();
    let times: Vec<_> = log.lines().filter(|line| line.contains(made)).collect();
    assert!(times.iter().all(|line| line.contains("DEBUG")));
    assert_eq!(
        log.matches("the socket was removed; created it again")
            .count(),
        1
    );
    // The seconds in which the socket was created: at most once per second.
    let mut seconds: Vec<_> = times.iter().map(|line| line.split('.').next()).collect();
    seconds.dedup();
    assert!(seconds.len() + 1 >= times.len(), "{times:#?}");
    env.stop(&mut daemon);
}

// === Paths where it cannot be created again ===

const ALICE: User = User {
    uid: 54_321,
    gid: 54_321,
    groups: &[],
};

/// Gives the whole test environment to Alice, except its parent folder.
fn give_to_alice(env: &TestEnv) {
    fn give(path: &Path) {
        chown(path, Some(ALICE.uid), Some(ALICE.gid)).unwrap();
        if path.is_dir() && !path.is_symlink() {
            for entry in fs::read_dir(path).unwrap() {
                give(&entry.unwrap().path());
            }
        }
    }
    for folder in ["home", "run", "state", "config", "tmp", "out"] {
        give(&env.path(folder));
    }
    fs::set_permissions(env.path(""), PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn a_daemon_that_cannot_create_its_socket_again_ends_with_one_line() {
    let test = "a_daemon_that_cannot_create_its_socket_again_ends_with_one_line";
    if !is_root_or_skip(test) {
        return;
    }
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    give_to_alice(&env);
    let jetond = install(env!("CARGO_BIN_EXE_jetond"));
    let mut daemon = env.start_command(ALICE.command(&env, &jetond.program, &["run"]));
    fs::remove_dir_all(env.path("run")).unwrap();
    let path = daemon.socket.display().to_string();
    let run = env.path("run").display().to_string();
    assert_lost(
        &mut daemon,
        &[
            &path,
            "was removed and cannot be created again",
            &run,
            "Permission denied",
        ],
    );
}

#[test]
fn an_open_folder_is_refused_when_the_socket_is_created_again() {
    let env = TestEnv::with_sandbox(3_600);
    let mut daemon = start(&env);
    let folder = daemon.socket.parent().unwrap().to_owned();
    let open = env.path("run/open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    fs::rename(&folder, env.path("run/moved")).unwrap();
    fs::rename(&open, &folder).unwrap();
    assert_lost(&mut daemon, &["others can write to it"]);
}

// === Mounts, and systems without working watches ===

#[test]
fn a_mount_over_the_socket_folder_and_its_removal_are_both_noticed() {
    let env = TestEnv::with_sandbox(3_600);
    let possible = std::process::Command::new("unshare")
        .args(["--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"])
        .stderr(Stdio::null())
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        ignored(
            "a_mount_over_the_socket_folder_and_its_removal_are_both_noticed: nothing can be mounted",
        );
        return;
    }
    env.enrol("research");
    let script = r#"
"$JETOND" run & daemon=$!
soon() { n=0; until "$@" >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 600 ] || return 1; sleep 0.05; done; }
soon "$JETON" ready research --wait 30
for i in 1 2; do
  mount -t tmpfs -o mode=0700 tmpfs "$XDG_RUNTIME_DIR/jeton"
  soon test -S "$XDG_RUNTIME_DIR/jeton/jeton.sock" && soon "$JETON" ready research && echo "over $i"
  umount "$XDG_RUNTIME_DIR/jeton" || umount -l "$XDG_RUNTIME_DIR/jeton"
  soon "$JETON" ready research && echo "under $i"
done
mount -t tmpfs -o mode=0700 tmpfs "$XDG_RUNTIME_DIR"
soon "$JETON" ready research && echo "above"
kill $daemon; wait $daemon; echo "ended with $?"
"#;
    let mut command = env.command("unshare");
    command
        .args(["--mount", "sh", "-c", script])
        .env("JETOND", env!("CARGO_BIN_EXE_jetond"))
        .env("JETON", JETON);
    let said = env.finish("a script", command, b"", false);
    let expected = "over 1\nunder 1\nover 2\nunder 2\nabove\nended with 0\n";
    assert_eq!(said.stdout, expected, "{said:?}");
}

#[test]
fn without_watches_the_socket_is_checked_every_30_s() {
    let env = TestEnv::with_sandbox(3_600);
    let test = "without_watches_the_socket_is_checked_every_30_s";
    let unshare = ["--user", "--map-root-user", "/bin/sh", "-c"];
    let no_watches = "echo 0 >/proc/sys/user/max_inotify_instances";
    let possible = std::process::Command::new("unshare")
        .args(unshare)
        .arg(no_watches)
        .stderr(Stdio::null())
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        ignored(&format!("{test}: no user namespaces here"));
        return;
    }
    env.enrol("research");
    let mut command = env.command("unshare");
    command
        .args(unshare)
        .arg(format!("{no_watches}; exec \"$0\" run"))
        .arg(env!("CARGO_BIN_EXE_jetond"));
    let mut daemon = env.start_command(command);
    daemon.wait_for_log("cannot watch the sockets' paths");
    fs::remove_file(&daemon.socket).unwrap();
    let reload = env.jeton(&["reload"]);
    assert_eq!(reload.code, 0, "{reload:?}");
    assert_serves_again(&env, &daemon);
    fs::remove_dir_all(daemon.admin.parent().unwrap()).unwrap();
    assert_serves_again(&env, &daemon);
    env.stop(&mut daemon);
}

// === Sockets of other programs ===

#[test]
fn a_missing_socket_that_was_passed_is_logged_and_not_created() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let manager = Manager::new(&env);
    let mut daemon = manager.start(&env);
    manager.wait_for_notification("READY=1");
    env.token(&daemon, "research");
    let away = env.path("run/away");
    for round in 1..=2 {
        fs::rename(&daemon.socket, &away).unwrap();
        wait_until("the log line about the missing socket", || {
            daemon.log().matches("passed is missing").count() == round
        });
        assert!(!daemon.socket.exists());
        assert!(accepts(&away), "the renamed socket is still served");
        fs::rename(&away, &daemon.socket).unwrap();
        wait_until("the log line about the socket's return", || {
            daemon.log().matches("passed is back").count() == round
        });
        env.token(&daemon, "research");
    }
    fs::remove_file(&daemon.admin).unwrap();
    wait_until("the log line about the other socket", || {
        daemon.log().matches("passed is missing").count() == 3
    });
    env.stop(&mut daemon);
    assert!(daemon.socket.exists(), "the passed socket stays");
}

// === Beside a command ===

#[test]
fn the_private_socket_of_run_is_created_again_at_its_path() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut supervisor = wrap::held(&env);
    let folder = wrap::folders(&env).pop().unwrap();
    let socket = folder.join("jeton/jeton.sock");
    let daemon = wrap::daemons(&env);
    for gone in [folder.clone(), folder.join("jeton"), socket.clone()] {
        let before = inode(&socket);
        if gone.is_dir() {
            fs::remove_dir_all(&gone).unwrap();
        } else {
            fs::remove_file(&gone).unwrap();
        }
        wait_until("the socket to be created again", || accepts(&socket));
        assert_ne!(inode(&socket), before);
        assert_eq!(mode(&folder), 0o700);
        let target = "/v1/profiles/research/token";
        assert_eq!(env.request(&socket, "GET", target, &[], b"").status, 200);
    }
    assert_eq!(wrap::daemons(&env), daemon, "the same daemon still runs");
    wrap::open_the_gate(&env);
    assert_eq!(supervisor.wait().code(), Some(5), "{}", supervisor.log());
    wrap::assert_nothing_left(&env);
}

#[test]
fn run_reports_a_missing_runtime_folder_once_and_recovers_when_it_returns() {
    let test = "run_reports_a_missing_runtime_folder_once_and_recovers_when_it_returns";
    if !is_root_or_skip(test) {
        return;
    }
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    give_to_alice(&env);
    let [jetond, jeton] = [env!("CARGO_BIN_EXE_jetond"), JETON].map(install);
    let out = env.path("out");
    let text = format!(
        "echo $JETON_SOCKET >{0}/socket; echo $$ >{0}/pid; read x <{0}/gate; \"$0\" token research; exit 5",
        out.display()
    );
    fs::write(out.join("make"), "").unwrap();
    let gate = std::process::Command::new("mkfifo")
        .arg(out.join("gate"))
        .status();
    assert!(gate.unwrap().success());
    chown(out.join("gate"), Some(ALICE.uid), None).unwrap();
    let args = [
        "run",
        "--",
        "/bin/sh",
        "-c",
        &text,
        jeton.program.to_str().unwrap(),
    ];
    let mut command = ALICE.command(&env, &jetond.program, &args);
    command.env("JETON_LOG", "warn");
    let mut supervisor = env.spawn_command(command);
    wrap::pid_in(&env, "out/pid");
    let socket = fs::read_to_string(out.join("socket")).unwrap();
    let socket = Path::new(socket.trim()).to_owned();
    fs::rename(env.path("run"), env.path("gone")).unwrap();
    // The last of these waits takes 2 s. A second such line would be logged in it.
    supervisor.wait_for_log("the next one starts");
    supervisor.wait_for_log("cannot be created again: the command has no tokens");
    fs::create_dir(env.path("run")).unwrap();
    fs::set_permissions(env.path("run"), PermissionsExt::from_mode(0o700)).unwrap();
    chown(env.path("run"), Some(ALICE.uid), Some(ALICE.gid)).unwrap();
    wait_until("the socket to be created again", || accepts(&socket));
    let log = supervisor.log();
    assert_eq!(log.matches("the command has no tokens").count(), 1, "{log}");
    assert_eq!(log.matches("the daemon has ended").count(), 1, "{log}");
    assert_eq!(
        log.matches(" was removed and cannot be created again")
            .count(),
        1,
        "{log}"
    );
    let file = fs::File::options().write(true).open(out.join("gate"));
    std::io::Write::write_all(&mut file.unwrap(), b"\n").unwrap();
    assert_eq!(supervisor.wait().code(), Some(5), "{}", supervisor.log());
    assert!(!socket.exists());
    // Remove the token that the command has requested.
    fs::remove_file(&supervisor.output).unwrap();
}
