//! Folders, locks and modes of the sockets, and what is refused in their place.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::Signal;

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, accepts, wait_until};

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// A daemon whose parent process has an umask of 0.
fn without_umask(env: &TestEnv) -> Command {
    let mut command = env.command("/bin/sh");
    command.args([
        "-c",
        "umask 0; exec \"$0\" run",
        env!("CARGO_BIN_EXE_jetond"),
    ]);
    command
}

/// Runs a daemon that must refuse to start.
#[track_caller]
fn refused(env: &TestEnv, args: &[&str], code: i32, says: &str) {
    // If the daemon starts anyway, it is ended when the assertion fails.
    let mut daemon = env.spawn(args);
    let status = daemon.wait();
    let log = daemon.log();
    assert_eq!(status.code(), Some(code), "{log}");
    let told = log
        .lines()
        .any(|line| line.starts_with("jetond: ") && line.contains(says));
    assert!(told, "{log}");
}

#[test]
fn folders_locks_and_sockets_are_private_with_any_umask() {
    let env = TestEnv::new();
    for command in [env.jetond_command(&["run"]), without_umask(&env)] {
        let mut daemon = env.start_command(command);
        for (path, wanted) in [
            ("run/jeton", 0o700),
            ("run/jeton/jeton.sock", 0o600),
            ("run/jeton/jeton.sock.lock", 0o600),
            ("run/jeton-admin", 0o700),
            ("run/jeton-admin/admin.sock", 0o600),
            ("run/jeton-admin/admin.sock.lock", 0o600),
        ] {
            assert_eq!(mode(&env.path(path)), wanted, "{path}");
        }
        env.stop(&mut daemon);
        fs::remove_dir_all(env.path("run/jeton")).unwrap();
        fs::remove_dir_all(env.path("run/jeton-admin")).unwrap();
    }
}

#[test]
fn folders_and_sockets_have_their_final_modes_from_their_creation_on() {
    let env = TestEnv::new();
    let over = AtomicBool::new(false);
    let paths = [
        "run/jeton",
        "run/jeton-admin",
        "run/jeton/jeton.sock",
        "run/jeton-admin/admin.sock",
    ]
    .map(|path| env.path(path));
    /// Ends the watching thread, also when the test fails.
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let seen = thread::scope(|scope| {
        let end = End(&over);
        let watcher = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !over.load(Ordering::Relaxed) {
                for path in &paths {
                    if let Ok(meta) = path.symlink_metadata() {
                        seen.insert((
                            meta.file_type().is_socket(),
                            meta.permissions().mode() & 0o7777,
                        ));
                    }
                }
            }
            seen
        });
        for _ in 0..15 {
            let mut daemon = env.start_command(without_umask(&env));
            env.stop(&mut daemon);
            fs::remove_dir_all(env.path("run/jeton")).unwrap();
            fs::remove_dir_all(env.path("run/jeton-admin")).unwrap();
        }
        drop(end);
        watcher.join().unwrap()
    });
    assert_eq!(seen, BTreeSet::from([(false, 0o700), (true, 0o600)]));
}

#[test]
fn a_second_daemon_is_refused_and_does_not_affect_the_first() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let inodes = |daemon: &Daemon| {
        [&daemon.socket, &daemon.admin].map(|path| path.symlink_metadata().unwrap().ino())
    };
    let before = inodes(&daemon);
    let says = format!("a daemon already serves {}", daemon.socket.display());
    refused(&env, &[], 75, &says);
    // Also if only the admin socket is taken.
    let elsewhere = env.path("run/other/jeton.sock");
    let args = [
        "--socket",
        elsewhere.to_str().unwrap(),
        "--admin-socket",
        daemon.admin.to_str().unwrap(),
    ];
    refused(&env, &args, 75, "already serves");
    assert!(
        !elsewhere.exists(),
        "the socket that it had bound is removed"
    );
    assert_eq!(inodes(&daemon), before);
    env.token(&daemon, "research");
    env.stop(&mut daemon);
}

#[test]
fn leftovers_of_a_killed_daemon_are_replaced() {
    let env = TestEnv::new();
    let mut killed = env.start();
    killed.signal(Signal::KILL);
    assert!(!killed.wait().success());
    assert!(killed.socket.exists() && killed.admin.exists());
    assert!(!accepts(&killed.socket));

    let mut rivals: Vec<Daemon> = (0..4).map(|_| env.spawn(&[])).collect();
    let mut ended = vec![];
    wait_until("all daemons but one to end", || {
        rivals.retain_mut(|rival| match rival.child.try_wait().unwrap() {
            None => true,
            Some(status) => {
                ended.push(status.code());
                false
            }
        });
        rivals.len() == 1
    });
    assert_eq!(ended, [Some(75); 3]);
    let mut winner = rivals.pop().unwrap();
    wait_until("the winner to serve", || accepts(&winner.socket));
    assert_eq!(env.get(&winner, "/healthz").status, 200);
    env.stop(&mut winner);
}

#[test]
fn a_start_is_refused_and_keeps_a_foreign_file_at_the_socket_path() {
    for place in ["run/jeton/jeton.sock", "run/jeton-admin/admin.sock"] {
        let env = TestEnv::new();
        let (path, victim) = (env.path(place), env.path("home/precious"));
        fs::create_dir(path.parent().unwrap()).unwrap();
        chmod(path.parent().unwrap(), 0o700);
        fs::write(&victim, "precious").unwrap();

        fs::write(&path, "mine").unwrap();
        refused(&env, &[], 78, "is not a socket; move it away");
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        fs::remove_file(&path).unwrap();

        symlink(&victim, &path).unwrap();
        refused(&env, &[], 78, "is not a socket; move it away");
        assert_eq!(fs::read_link(&path).unwrap(), victim);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        fs::remove_file(&path).unwrap();

        symlink(env.path("home/nothing"), &path).unwrap();
        refused(&env, &[], 78, "is not a socket; move it away");
        assert!(path.is_symlink() && !env.path("home/nothing").exists());
        fs::remove_file(&path).unwrap();

        fs::create_dir(&path).unwrap();
        fs::write(path.join("kept"), "").unwrap();
        refused(&env, &[], 78, "is not a socket; move it away");
        assert!(path.join("kept").exists());
        // No socket is left at the other path either.
        assert!(!env.path("run/jeton/jeton.sock").is_file());
        let sockets = [
            env.path("run/jeton/jeton.sock"),
            env.path("run/jeton-admin/admin.sock"),
        ];
        assert!(
            sockets
                .iter()
                .all(|path| path.symlink_metadata().is_ok_and(|m| m.is_dir()) || !path.exists())
        );
    }
}

#[test]
fn an_open_or_linked_folder_is_refused_unchanged() {
    let env = TestEnv::new();
    let readable = [0o755, 0o710, 0o701];
    for (place, also) in [("run/jeton", &[][..]), ("run/jeton-admin", &readable)] {
        let folder = env.path(place);
        fs::create_dir_all(&folder).unwrap();
        for &open in [0o777, 0o1777, 0o770, 0o720].iter().chain(also) {
            chmod(&folder, open);
            refused(&env, &[], 78, "the socket's folder");
            assert_eq!(mode(&folder), open);
            assert!(!folder.join("jeton.sock").exists() && !folder.join("admin.sock").exists());
        }
        fs::remove_dir_all(&folder).unwrap();
        fs::create_dir_all(env.path("home/real")).unwrap();
        chmod(&env.path("home/real"), 0o700);
        symlink(env.path("home/real"), &folder).unwrap();
        refused(&env, &[], 78, "the socket's folder");
        assert_eq!(fs::read_dir(env.path("home/real")).unwrap().count(), 0);
        fs::remove_file(&folder).unwrap();
    }
    // A user who can write to the parent folder could replace our folder.
    chmod(&env.path("run"), 0o777);
    refused(&env, &[], 78, "the socket's folder");
}

#[test]
fn a_readable_socket_folder_at_the_default_path_is_made_private() {
    let env = TestEnv::new();
    let folder = env.path("run/jeton");
    fs::create_dir(&folder).unwrap();
    for open in [0o755, 0o710, 0o701, 0o500] {
        chmod(&folder, open);
        let mut daemon = env.start();
        assert_eq!((mode(&folder), mode(&daemon.socket)), (0o700, 0o600));
        env.stop(&mut daemon);
    }
    // The daemon does not change the mode of a folder that the user named.
    chmod(&folder, 0o755);
    let socket = folder.join("jeton.sock");
    refused(
        &env,
        &["--socket", socket.to_str().unwrap()],
        78,
        "chmod 700",
    );
    assert_eq!(mode(&folder), 0o755);
}

#[test]
fn an_invalid_socket_path_is_refused_with_the_reason() {
    let env = TestEnv::new();
    let long = format!("/{}/jeton.sock", "long".repeat(30));
    refused(
        &env,
        &["--socket", &long],
        78,
        "can have 107 bytes and this one has 132",
    );
    refused(&env, &["--admin-socket", &long], 78, "choose a shorter one");
    refused(&env, &["--socket", "jeton.sock"], 78, "write the full path");
    let beside = env.path("run/jeton/admin.sock");
    refused(
        &env,
        &["--admin-socket", beside.to_str().unwrap()],
        78,
        "must not be in the folder of the token socket",
    );
    assert_eq!(fs::read_dir(env.path("run")).unwrap().count(), 0);
}
