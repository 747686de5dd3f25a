//! The files of `jeton exec --file` for commands of other users.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::net::UnixListener;

use super::{ALICE, chmod, configure, shared_place, start_at, start_shared};
use crate::exec_files::start;
use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::users::{are_root, install};

/// Gives folders of the place to Alice, with all that is in them.
fn give_to_alice(env: &TestEnv, folders: &[&str]) {
    for folder in folders {
        let changed = std::process::Command::new("chown")
            .args(["-R", "60001:60001"])
            .arg(env.path(folder))
            .status();
        assert!(changed.unwrap().success());
    }
}

const ARGS: [&str; 5] = ["exec", "--file", "F", "research", "--"];

#[test]
fn a_daemon_of_root_gives_the_file_to_the_commands_user() {
    if !are_root("a_daemon_of_root_gives_the_file_to_the_commands_user") {
        return;
    }
    let env = shared_place();
    let profiles = fs::read_to_string(env.config()).unwrap();
    configure(
        &env,
        &profiles,
        "mode = \"all\"",
        &[("research", "uid = 60001")],
    );
    let mut daemon = start_shared(&env);
    let token = env.token(&daemon, "research");
    let jeton = install(env!("CARGO_BIN_EXE_jeton"));
    let socket = daemon.socket.to_str().unwrap();
    let script = "test \"$(cat \"$F\")\" = \"$0\" && echo \"$F\"; exec cat";
    let more = ["/bin/sh", "-c", script, &token];
    let args = [&["--socket", socket], &ARGS[..], &more].concat();
    let running = start(ALICE.command(&env, &jeton.program, &args));
    let facts = |path: &std::path::Path| {
        let meta = path.symlink_metadata().unwrap();
        (meta.uid(), meta.gid(), meta.mode() & 0o777)
    };
    assert_eq!(facts(&running.file), (ALICE.uid, ALICE.gid, 0o600));
    let folder = running.file.parent().unwrap().to_owned();
    assert_eq!(facts(&folder), (ALICE.uid, ALICE.gid, 0o700));
    running.end();
    env.stop(&mut daemon);
}

#[test]
fn a_daemon_of_another_user_gives_no_file_and_says_why() {
    if !are_root("a_daemon_of_another_user_gives_no_file_and_says_why") {
        return;
    }
    let env = shared_place();
    give_to_alice(&env, &["home", "run", "state", "config", "tmp"]);
    fs::create_dir(env.path("alice")).unwrap();
    rustix::fs::chown(
        env.path("alice"),
        Some(rustix::fs::Uid::from_raw(ALICE.uid)),
        None,
    )
    .unwrap();
    let jetond = install(env!("CARGO_BIN_EXE_jetond"));
    let socket = env.path("alice/run/jeton.sock");
    let socket = socket.to_str().unwrap();
    let command = ALICE.command(&env, &jetond.program, &["run", "--socket", socket]);
    let mut daemon = start_at(&env, command, socket.as_ref());
    env.token(&daemon, "research");
    // Root may have its tokens, but not by a file of Alice's.
    let args = [&["--socket", socket], &ARGS[..], &["/bin/echo", "run"]].concat();
    let refused = env.jeton(&args);
    assert_eq!((refused.code, &refused.stdout[..]), (64, ""), "{refused:?}");
    assert!(
        refused.stderr.contains("neither root's nor this user's"),
        "{refused:?}"
    );
    env.stop(&mut daemon);
}

/// Starts a daemon of Alice's by two sockets, as the system's units pass them.
fn start_passing(env: &TestEnv, jetond: &str, sockets: &[UnixListener; 2]) -> Daemon {
    let script = "exec 3<&0 4<&1 </dev/null >&2; export LISTEN_PID=$$; exec \"$0\" run";
    let mut command = ALICE.command(env, "/bin/sh", &["-c", script, jetond]);
    command
        .env("LISTEN_FDS", "2")
        .env("LISTEN_FDNAMES", "jeton:admin");
    let passed = sockets
        .each_ref()
        .map(|socket| OwnedFd::from(socket.try_clone().unwrap()));
    env.spawn_passing(command, passed)
}

#[test]
fn a_daemon_in_roots_folder_makes_the_file_in_the_folder_that_is_its_own() {
    if !are_root("a_daemon_in_roots_folder_makes_the_file_in_the_folder_that_is_its_own") {
        return;
    }
    let env = shared_place();
    give_to_alice(&env, &["home", "state", "config", "tmp"]);
    let sockets = ["run/jeton/jeton.sock", "run/jeton-admin/admin.sock"].map(|path| {
        let path = env.path(path);
        fs::create_dir(path.parent().unwrap()).unwrap();
        let socket = UnixListener::bind(&path).unwrap();
        chown(&path, Some(ALICE.uid), None).unwrap();
        chmod(&path, 0o600);
        socket
    });
    for folder in ["run", "run/jeton"] {
        chmod(&env.path(folder), 0o755);
    }
    let [jetond, jeton] = [env!("CARGO_BIN_EXE_jetond"), env!("CARGO_BIN_EXE_jeton")].map(install);
    let jetond = jetond.program.to_str().unwrap();
    let mut daemon = start_passing(&env, jetond, &sockets);
    let token = env.token(&daemon, "research");
    let socket = daemon.socket.to_str().unwrap().to_owned();
    let args = |more: &[&'static str]| [&["--socket", &socket], &ARGS[..], more].concat();
    let command = || {
        let more = ["/bin/sh", "-c", "echo \"$F\"; exec cat"];
        ALICE.command(&env, &jeton.program, &args(&more))
    };
    let run = |what: &str, command| env.finish(what, command, b"", false);

    // Without a folder of its own it has none to make one in.
    let refused = run("jeton without a folder", command());
    assert_eq!((refused.code, &refused.stdout[..]), (64, ""), "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("cannot make a folder beside its socket"),
        "{refused:?}"
    );
    let files = env.path("run/jeton/files");
    fs::create_dir(&files).unwrap();
    chmod(&files, 0o755);
    // Nor one in a folder of root's, or in one that others can write to.
    assert_eq!(run("jeton without a folder", command()).code, 64);
    chown(&files, Some(ALICE.uid), Some(ALICE.gid)).unwrap();
    chmod(&files, 0o777);
    assert_eq!(run("jeton in an open folder", command()).code, 64);
    chmod(&files, 0o755);

    let running = start(command());
    assert!(running.file.starts_with(&files), "{:?}", running.file);
    assert_eq!(fs::read_to_string(&running.file).unwrap(), token);
    let mode = running.file.parent().unwrap().metadata().unwrap().mode();
    assert_eq!(mode & 0o7777, 0o700);
    // Of others than its user the daemon is no root.
    let refused = env.jeton(&args(&["/bin/echo", "run"]));
    assert!(
        refused.stderr.contains("neither root's nor this user's"),
        "{refused:?}"
    );
    // The next daemon finds it there.
    daemon.signal(rustix::process::Signal::KILL);
    daemon.wait();
    let mut daemon = start_passing(&env, jetond, &sockets);
    let newer = env.token(&daemon, "research");
    assert_ne!(newer, token);
    wait_until("the next daemon's token", || {
        fs::read_to_string(&running.file).is_ok_and(|text| text == newer)
    });
    running.end();
    daemon.signal(rustix::process::Signal::TERM);
    daemon.wait();
}
