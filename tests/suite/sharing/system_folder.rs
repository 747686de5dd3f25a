//! `/run/jeton` with the sockets of a service manager: no start of a daemon takes access away from their users.

use super::*;
use crate::support::env::Output;
use crate::support::mounts::{can_mount_or_skip, in_mounts};
use crate::support::users::{Installed, install};

const ROOT: User = User {
    uid: 0,
    gid: 0,
    groups: &[],
};

/// Installs a copy of the daemon under the name of a service manager, by which a peer is recognized as one.
fn service_manager() -> (Installed, PathBuf) {
    let installed = install(env!("CARGO_BIN_EXE_jetond"));
    let named = installed.program.with_file_name("systemd");
    fs::rename(&installed.program, &named).unwrap();
    (installed, named)
}

/// Starts a daemon with a `/run` of its own, prepared by these lines. Returns its output, and the mode and owner of
/// `/run/jeton` afterwards.
fn start_in_run(env: &TestEnv, prepare: &str, user: User, args: &[&str]) -> (Output, String) {
    let jetond = install(env!("CARGO_BIN_EXE_jetond"));
    let prepare = format!("mount -t tmpfs -o mode=755 tmpfs /run\n{prepare}");
    // A daemon that serves is stopped, so its exit code is 0.
    let script = "\"$@\" >&2 & daemon=$!
        (for _ in $(seq 400); do test -S /run/jeton/jeton.sock && kill $daemon && break; sleep 0.05; done) &
        wait $daemon; code=$?; stat -c '%a %u %g' /run/jeton; kill $! 2>/dev/null; exit $code";
    let program = jetond.program.display().to_string();
    let line = [&["-c", script, "sh", &program, "run"], args].concat();
    let mut command = in_mounts(env, &prepare, user, "/bin/sh", &line);
    command.env_remove("XDG_RUNTIME_DIR");
    let output = env.finish("jetond in a run of its own", command, b"", false);
    let found = output.stdout.lines().next().unwrap_or_default().to_owned();
    (output, found)
}

#[test]
fn no_start_of_a_daemon_closes_run_jeton_for_other_users() {
    if !can_mount_or_skip("no_start_of_a_daemon_closes_run_jeton_for_other_users") {
        return;
    }
    let env = TestEnv::new();
    chmod(&env.path(""), 0o711);
    for folder in ["home", "state", "config"] {
        chmod(&env.path(folder), 0o755);
    }
    let configure = |socket: &str| {
        configure(&env, "", socket, &[]);
        chmod(env.config().parent().unwrap(), 0o755);
        chmod(&env.config(), 0o644);
    };
    let group = format!("mode = 'group'\ngroup = {TEAM}");
    let (private, group, all) = ("mode = 'private'", group.as_str(), "mode = 'all'");
    let named = &["--socket", "/run/jeton/jeton.sock"][..];
    let aliased = &["--socket", "/var/run/jeton/jeton.sock"][..];
    let alices = "chown 60001:60001 /run/jeton";
    for (mode, then, user, args, socket) in [
        ("755", "", ROOT, &[][..], private),
        ("755", "", ROOT, named, private),
        ("755", "", ROOT, aliased, private),
        ("711", "", ROOT, &[], private),
        ("755", "", ROOT, &[], group),
        ("755", "", ROOT, named, group),
        ("710", "chgrp 60060 /run/jeton", ROOT, &[], group),
        // Whichever user created it, and whatever a former socket left in it.
        ("755", alices, ALICE, &[], private),
        (
            "755",
            "touch /run/jeton/jeton.sock.lock",
            ROOT,
            &[],
            private,
        ),
        // The usual place, chosen by another variable.
        ("755", "export XDG_RUNTIME_DIR=/run", ROOT, &[], private),
    ] {
        configure(socket);
        let prepare = format!("mkdir -m {mode} /run/jeton\n{then}");
        let (output, found) = start_in_run(&env, &prepare, user, args);
        let case = format!("{mode} {then:?} {args:?} {socket}: {output:?}");
        assert_eq!(output.code, 78, "{case}");
        assert_eq!(found.split(' ').next(), Some(mode), "{case}");
        for says in ["systemctl start jetond", "another place with --socket"] {
            assert!(output.stderr.contains(says), "{case}");
        }
        assert!(!output.stderr.contains("chmod"), "{case}");
    }
    // A start that takes access from no user works as before: without a folder, with a private one, and for a wider
    // mode.
    for (prepare, socket, mode) in [
        ("", private, "700 0 0"),
        ("mkdir -m 700 /run/jeton", private, "700 0 0"),
        ("mkdir -m 700 /run/jeton", group, "710 0 60050"),
        ("mkdir -m 700 /run/jeton", all, "755 0 0"),
        ("mkdir -m 755 /run/jeton", all, "755 0 0"),
    ] {
        configure(socket);
        let (output, found) = start_in_run(&env, prepare, ROOT, &[]);
        assert_eq!(output.code, 0, "{prepare} {socket}: {output:?}");
        assert_eq!(found, mode, "{prepare} {socket}");
    }
}

#[test]
fn a_refused_second_start_does_not_change_the_socket_folder() {
    let env = TestEnv::new();
    configure(&env, "", "mode = 'all'", &[]);
    let mut daemon = env.start();
    configure(&env, "", "mode = 'private'", &[]);
    let socket = daemon.socket.to_str().unwrap();
    for args in [&["run"][..], &["run", "--socket", socket]] {
        let refused = env.jetond(args);
        assert_eq!(refused.code, 75, "{refused:?}");
        let says = format!("a daemon already serves {socket}\n");
        assert!(refused.stderr.contains(&says), "{refused:?}");
        assert_eq!(found(&env.path("run/jeton")).0, 0o755);
    }
    env.stop(&mut daemon);
}

#[test]
fn a_start_beside_the_sockets_of_a_service_names_that_service() {
    let env = TestEnv::new();
    configure(&env, "", "mode = 'all'", &[]);
    let (_installed, systemd) = service_manager();
    let mut command = env.command(systemd);
    command.arg("run");
    let mut manager = env.start_command(command);
    configure(&env, "", "mode = 'private'", &[]);
    let socket = manager.socket.display().to_string();
    for args in [&["run"][..], &["run", "--socket", &socket]] {
        let refused = env.jetond(args);
        assert_eq!(refused.code, 75, "{refused:?}");
        for says in [
            &format!("this user's jetond.service already serves {socket}: "),
            "systemctl --user status jetond",
            "another place with --socket",
        ] {
            assert!(refused.stderr.contains(says), "{says}: {refused:?}");
        }
        assert_eq!(found(&env.path("run/jeton")).0, 0o755);
    }
    env.stop(&mut manager);
}
