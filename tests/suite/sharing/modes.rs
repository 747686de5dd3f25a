//! Socket modes: the resulting modes of files and folders, and the rules that a mode makes unreachable.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::support::users::is_root_or_skip;

/// A daemon at the usual place whose parent process has an umask of 0.
fn without_umask(env: &TestEnv) -> Command {
    let mut command = env.command("/bin/sh");
    let jetond = env!("CARGO_BIN_EXE_jetond");
    command.args(["-c", "umask 0; exec \"$0\" run", jetond]);
    command
}

#[test]
fn socket_modes_are_never_wider_than_configured() {
    let test = "socket_modes_are_never_wider_than_configured";
    if !is_root_or_skip(test) {
        return;
    }
    let env = TestEnv::new();
    let group = format!("mode = 'group'\ngroup = {TEAM}");
    let paths = ["run/jeton", "run/jeton/jeton.sock"].map(|path| env.path(path));
    // Each mode replaces the one before it. The first one starts without files.
    for (socket, folder, file, gid) in [
        ("mode = 'all'", 0o755, 0o666, None),
        (group.as_str(), 0o710, 0o660, Some(TEAM)),
        ("mode = 'private'", 0o700, 0o600, None),
        (group.as_str(), 0o710, 0o660, Some(TEAM)),
    ] {
        configure(&env, "", socket, &[]);
        let before = paths[0].exists().then(|| found(&paths[0]));
        let over = AtomicBool::new(false);
        let seen = std::thread::scope(|scope| {
            /// Ends the watching thread, also when the test fails.
            struct End<'a>(&'a AtomicBool);
            impl Drop for End<'_> {
                fn drop(&mut self) {
                    self.0.store(true, Ordering::Relaxed);
                }
            }
            let end = End(&over);
            let watcher = scope.spawn(|| {
                let mut seen = std::collections::BTreeSet::new();
                while !over.load(Ordering::Relaxed) {
                    for path in &paths {
                        if let Ok(meta) = path.symlink_metadata() {
                            let mode = meta.permissions().mode() & 0o7777;
                            seen.insert((meta.is_dir(), mode, meta.gid()));
                        }
                    }
                }
                seen
            });
            for _ in 0..8 {
                let mut daemon = env.start_command(without_umask(&env));
                wait_until("the admin socket", || accepts(&daemon.admin));
                assert_eq!(found(&paths[0]).0, folder);
                assert_eq!(found(&paths[1]).0, file);
                for private in ["run/jeton-admin", "run/jeton-admin/admin.sock"] {
                    assert_eq!(found(&env.path(private)).0 & 0o077, 0);
                }
                assert_eq!(found(&env.path("run/jeton/jeton.sock.lock")).0, 0o600);
                if let Some(gid) = gid {
                    assert_eq!(paths.each_ref().map(|path| found(path).2), [gid; 2]);
                }
                env.stop(&mut daemon);
                fs::remove_dir_all(&paths[0]).unwrap();
            }
            drop(end);
            watcher.join().unwrap()
        });
        for (is_dir, mode, owner_group) in seen {
            let right = if is_dir { folder } else { file };
            let closed = mode & 0o077 == 0;
            let given = mode == right && gid.is_none_or(|gid| gid == owner_group);
            let found_so = is_dir && before.is_some_and(|(m, _, g)| (m, g) == (mode, owner_group));
            assert!(
                closed || given || found_so,
                "{socket}: {mode:o} {owner_group}"
            );
        }
        // The next daemon starts with the files that this one leaves.
        let mut daemon = env.start_command(without_umask(&env));
        env.stop(&mut daemon);
    }
}

#[test]
fn the_socket_group_must_be_a_group_of_the_daemons_user() {
    if !is_root_or_skip("the_socket_group_must_be_a_group_of_the_daemons_user") {
        return;
    }
    let env = TestEnv::new();
    configure(&env, "", &format!("mode = 'group'\ngroup = {TEAM}"), &[]);
    chmod(&env.path(""), 0o711);
    for folder in ["home", "run", "state", "config"] {
        std::os::unix::fs::chown(env.path(folder), Some(ALICE.uid), Some(ALICE.gid)).unwrap();
    }
    std::os::unix::fs::chown(env.config(), Some(ALICE.uid), None).unwrap();
    std::os::unix::fs::chown(env.config().parent().unwrap(), Some(ALICE.uid), None).unwrap();
    let jetond = crate::support::users::install(env!("CARGO_BIN_EXE_jetond"));
    let outside = User {
        groups: &[],
        ..ALICE
    };
    let output = env.finish(
        "jetond",
        outside.command(&env, &jetond.program, &["run"]),
        b"",
        false,
    );
    assert_eq!(output.code, 78, "{output:?}");
    assert!(
        output.stderr.contains("cannot be given to the group 60050"),
        "{output:?}"
    );
    assert_eq!(found(&env.path("run/jeton")), (0o700, ALICE.uid, ALICE.gid));
    let mut daemon = env.start_command(ALICE.command(&env, &jetond.program, &["run"]));
    assert_eq!(found(&daemon.socket), (0o660, ALICE.uid, TEAM));
    // Only Alice can enter the runtime folder, so other users cannot reach the socket. The log reports that.
    daemon.wait_for_log("users whom this folder blocks");
    env.stop(&mut daemon);
}

#[test]
fn check_reports_unreachable_rules() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let profiles = fs::read_to_string(env.config()).unwrap();
    let known = ["daemon", "bin"].map(|name| {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        passwd
            .lines()
            .any(|line| line.starts_with(&format!("{name}:")))
    });
    if known != [true; 2] {
        crate::support::ignored("check_reports_unreachable_rules: no users daemon and bin here");
        return;
    }
    for (socket, rule, fault) in [
        (
            "mode = 'private'",
            "user = 'daemon'",
            Some(
                "research: the rule user = \"daemon\" has no effect: [socket] mode = \"private\" lets no other user",
            ),
        ),
        (
            "mode = 'private'",
            "gid = 4",
            Some("research: the rule gid = \"4\" has no effect"),
        ),
        ("mode = 'private'", "user = 'root'", None),
        (
            "mode = 'group'\ngroup = 'daemon'",
            "user = 'bin'",
            Some(
                "research: the rule user = \"bin\" has no effect: that user is not in the socket's group",
            ),
        ),
        ("mode = 'group'\ngroup = 'daemon'", "user = 'daemon'", None),
        ("mode = 'all'", "user = 'bin'", None),
        (
            "mode = 'all'",
            "unit = 'x.service'",
            Some(":9:8: profiles.research.allow.unit: a rule for a unit is not supported"),
        ),
    ] {
        configure(&env, profiles.trim(), socket, &[("research", rule)]);
        let checked = env.jetond(&["check"]);
        match fault {
            None => assert_eq!(checked.code, 0, "{socket} {rule} {checked:?}"),
            Some(fault) => {
                assert_eq!(checked.code, 78, "{socket} {rule} {checked:?}");
                assert!(
                    checked.stderr.contains(fault),
                    "{socket} {rule} {checked:?}"
                );
            }
        }
    }
}
