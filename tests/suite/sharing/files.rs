//! Files for other users: those of `jeton exec --file`, and sinks that belong to other users and groups.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::net::UnixListener;

use super::{ALICE, chmod, configure, shared_place, start_at, start_shared};
use crate::exec_files::start;
use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::users::{install, is_root_or_skip};

/// Gives folders of the test environment and their content to Alice.
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
    if !is_root_or_skip("a_daemon_of_root_gives_the_file_to_the_commands_user") {
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
    if !is_root_or_skip("a_daemon_of_another_user_gives_no_file_and_says_why") {
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
    // Root may get Alice's tokens, but not in a file that belongs to Alice.
    let args = [&["--socket", socket], &ARGS[..], &["/bin/echo", "run"]].concat();
    let refused = env.jeton(&args);
    assert_eq!((refused.code, &refused.stdout[..]), (64, ""), "{refused:?}");
    assert!(
        refused.stderr.contains("neither root's nor this user's"),
        "{refused:?}"
    );
    env.stop(&mut daemon);
}

/// Starts a daemon of Alice with two inherited sockets, as the system's units pass them.
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
fn a_daemon_in_roots_folder_puts_the_file_in_its_own_folder() {
    if !is_root_or_skip("a_daemon_in_roots_folder_puts_the_file_in_its_own_folder") {
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

    // A daemon without a folder of its own has no place for the file.
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
    // A folder of root, or one that others can write to, is refused as well.
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
    // This daemon does not run as root, so it refuses commands of users other than its own.
    let refused = env.jeton(&args(&["/bin/echo", "run"]));
    assert!(
        refused.stderr.contains("neither root's nor this user's"),
        "{refused:?}"
    );
    // The next daemon finds the file.
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

/// Returns the state of the only sink, from the daemon at this socket.
fn sink_at(env: &TestEnv, socket: &str) -> serde_json::Value {
    let shown = env.jeton(&["--socket", socket, "status", "research", "--json"]);
    let all: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    all["profiles"][0]["sinks"][0].clone()
}

#[test]
fn a_daemon_of_a_user_sets_only_its_own_groups_on_sinks() {
    if !is_root_or_skip("a_daemon_of_a_user_sets_only_its_own_groups_on_sinks") {
        return;
    }
    let env = shared_place();
    let bare = fs::read_to_string(env.config()).unwrap();
    give_to_alice(&env, &["home", "run", "state", "config", "tmp"]);
    fs::create_dir(env.path("alice")).unwrap();
    chown(env.path("alice"), Some(ALICE.uid), None).unwrap();
    let jetond = install(env!("CARGO_BIN_EXE_jetond"));
    let socket = env.path("alice/run/jeton.sock");
    let file = env.path("alice/run/t");
    env.is_sink(&file);
    let socket = socket.to_str().unwrap();
    let put = |keys: &str| {
        let sink = format!(
            "[[profiles.research.sinks]]\npath = \"{}\"\nformat = \"raw\"\n",
            file.display()
        );
        fs::write(env.config(), format!("{bare}{sink}{keys}\n")).unwrap();
    };
    let reload = || {
        let admin = env.path("alice/run-admin/admin.sock");
        let done = env.jeton(&["reload", "--admin-socket", admin.to_str().unwrap()]);
        assert_eq!(done.code, 0, "{done:?}");
    };
    put("mode = \"0640\"\ngroup = 60060");
    let command = ALICE.command(&env, &jetond.program, &["run", "--socket", socket]);
    let mut daemon = start_at(&env, command, socket.as_ref());
    let token = env.token(&daemon, "research");
    for (keys, why) in [
        ("mode = \"0640\"\ngroup = 60060", "is not in group 60060"),
        ("owner = 60002", "only a daemon that runs as root"),
    ] {
        put(keys);
        reload();
        wait_until("the refusal", || {
            sink_at(&env, socket)["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains(why))
        });
        assert!(!file.exists() && sink_at(&env, socket)["state"] == "failed");
        let left = fs::read_dir(file.parent().unwrap()).unwrap().flatten();
        let left = left.filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with(".jeton-new")
        });
        assert_eq!(left.count(), 0);
        let check = ALICE.command(&env, &jetond.program, &["check"]);
        let checked = env.finish("jetond check", check, b"", false);
        // This daemon's sockets are elsewhere, but the sink's path stays the same.
        assert_eq!(checked.code, 78, "{checked:?}");
        assert!(checked.stderr.contains(why), "{why}: {checked:?}");
    }
    let facts = || {
        let meta = file.symlink_metadata().unwrap();
        (meta.uid(), meta.gid(), meta.mode() & 0o7777)
    };
    for group in [super::TEAM, ALICE.gid] {
        put(&format!("mode = \"0640\"\ngroup = {group}\nowner = 60001"));
        reload();
        wait_until("the file", || {
            fs::read_to_string(&file).is_ok_and(|text| text == token) && facts().1 == group
        });
        assert_eq!(facts(), (ALICE.uid, group, 0o640));
    }
    env.stop(&mut daemon);
}

#[test]
fn a_daemon_of_root_sets_a_sinks_owner_and_group() {
    if !is_root_or_skip("a_daemon_of_root_sets_a_sinks_owner_and_group") {
        return;
    }
    let env = shared_place();
    let bare = fs::read_to_string(env.config()).unwrap();
    // Alice's own folder is refused for root's daemon. A folder that all users can write to is accepted.
    let (alices, public) = (env.path("alices"), env.path("public"));
    for folder in [&alices, &public] {
        fs::create_dir(folder).unwrap();
    }
    chown(&alices, Some(ALICE.uid), None).unwrap();
    chmod(&public, 0o1777);
    let put = |folder: &std::path::Path| {
        let sink = format!(
            "[[profiles.research.sinks]]\npath = \"{}/t\"\nformat = \"raw\"\nowner = 60001\ngroup = {}\nmode = \"0440\"\n",
            folder.display(),
            super::TEAM
        );
        fs::write(env.config(), format!("{bare}{sink}")).unwrap();
        env.is_sink(folder.join("t"));
    };
    put(&alices);
    let mut daemon = env.start();
    let socket = daemon.socket.to_str().unwrap();
    wait_until("the refusal", || sink_at(&env, socket)["state"] == "failed");
    let detail = sink_at(&env, socket)["detail"].to_string();
    assert!(detail.contains("it belongs to uid 60001"), "{detail}");
    assert_eq!(fs::read_dir(&alices).unwrap().count(), 0);
    put(&public);
    assert_eq!(env.jeton(&["reload"]).code, 0);
    let file = public.join("t");
    for is_last in [false, true] {
        let token = env.token(&daemon, "research");
        wait_until("the token", || {
            fs::read_to_string(&file).is_ok_and(|text| text == token)
        });
        let meta = file.symlink_metadata().unwrap();
        let facts = (meta.uid(), meta.gid(), meta.mode() & 0o7777);
        assert_eq!(facts, (ALICE.uid, super::TEAM, 0o440));
        if !is_last {
            assert_eq!(env.jeton(&["refresh", "research"]).code, 0);
        }
    }
    fs::write(env.config(), &bare).unwrap();
    assert_eq!(env.jeton(&["reload"]).code, 0);
    wait_until("the file to be removed", || !file.exists());
    assert_eq!(fs::read_dir(&public).unwrap().count(), 0);
    env.stop(&mut daemon);
}
