//! The files of `jeton exec --file` for commands of other users.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use super::{ALICE, configure, shared_place, start_at, start_shared};
use crate::exec_files::start;
use crate::support::users::{are_root, install};

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
    for folder in ["home", "run", "state", "config", "tmp"] {
        let changed = std::process::Command::new("chown")
            .args(["-R", "60001:60001"])
            .arg(env.path(folder))
            .status();
        assert!(changed.unwrap().success());
    }
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
