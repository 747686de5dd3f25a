//! `[socket] mode` with a socket from a service manager: a difference is reported with its remedy.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use serde_json::Value;

use crate::enrol::write_config;
use crate::support::TestEnv;
use crate::support::manager::Manager;
use crate::support::mounts::{can_mount_or_skip, in_mounts};
use crate::support::users::{User, install, is_root_or_skip};

/// The ID of a group without a name.
const TEAM: u32 = 60_050;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// A test environment whose folders are open to other users, and a socket of the manager with this mode and group.
fn managed(mode: u32, group: u32) -> (TestEnv, Manager) {
    let env = TestEnv::new();
    let manager = Manager::new(&env);
    for folder in ["", "run", "run/jeton"] {
        set_mode(&env.path(folder), 0o755);
    }
    let socket = env.path("run/jeton/jeton.sock");
    chown(&socket, None, Some(group)).unwrap();
    set_mode(&socket, mode);
    (env, manager)
}

/// Returns what the start, `check` and `doctor` report about the socket, each with its remedy.
fn reports(env: &TestEnv, manager: &Manager) -> [String; 3] {
    let mut daemon = manager.start(env);
    manager.wait_for_notification("READY=1");
    let log = daemon.log_up_to_now();
    env.stop(&mut daemon);
    let warnings = log.lines().filter(|line| line.contains(" WARN "));
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let examined = env.jetond(&["doctor", "--json"]);
    let findings: Vec<Value> = serde_json::from_str(&examined.stdout).unwrap();
    let about = findings
        .iter()
        .filter(|finding| finding["check"] == "socket mode");
    let of_doctor = about.map(|finding| {
        assert_eq!(finding["verdict"], "warn", "{finding}");
        format!("{}: {}", finding["found"], finding["remedy"])
    });
    [
        warnings.collect::<Vec<_>>().join("\n"),
        checked.stderr,
        of_doctor.collect::<Vec<_>>().join("\n"),
    ]
}

#[test]
fn a_differing_socket_mode_is_reported_by_start_check_and_doctor() {
    if !is_root_or_skip("a_differing_socket_mode_is_reported_by_start_check_and_doctor") {
        return;
    }
    let group = format!("mode = 'group'\ngroup = {TEAM}");
    let team = "SocketMode=0660 and ExecStartPost=chgrp 60050 ";
    for (wanted, mode, gid, what, settings) in [
        (group.as_str(), 0o600, 0, "fewer users", team),
        (&group, 0o666, 0, "more users", team),
        (&group, 0o660, 60_060, "another group", team),
        ("mode = 'all'", 0o600, 0, "fewer users", "SocketMode=0666"),
        (
            "mode = 'private'",
            0o660,
            TEAM,
            "more users",
            "SocketMode=0600",
        ),
        (
            "mode = 'private'",
            0o666,
            0,
            "more users",
            "SocketMode=0600",
        ),
    ] {
        let (env, manager) = managed(mode, gid);
        write_config(&env, format!("[socket]\n{wanted}\n"));
        for text in reports(&env, &manager) {
            for part in [
                what,
                settings,
                "jetond.socket.d/socket-mode.conf",
                "daemon-reload",
                "restart jetond.socket",
                "jetond setup socket",
            ] {
                assert!(text.contains(part), "{wanted} {mode:o} {part}: {text}");
            }
        }
    }
}

#[test]
fn a_matching_socket_mode_is_not_reported() {
    if !is_root_or_skip("a_matching_socket_mode_is_not_reported") {
        return;
    }
    let group = format!("mode = 'group'\ngroup = {TEAM}");
    for (wanted, mode, gid) in [
        (group.as_str(), 0o660, TEAM),
        ("mode = 'all'", 0o666, 0),
        ("mode = 'private'", 0o600, 0),
    ] {
        let (env, manager) = managed(mode, gid);
        write_config(&env, format!("[socket]\n{wanted}\n"));
        for text in reports(&env, &manager) {
            assert!(!text.contains("mode"), "{wanted}: {text}");
        }
    }
}

#[test]
fn a_closed_runtime_folder_is_reported_instead_of_the_socket_mode() {
    let env = TestEnv::new();
    let manager = Manager::new(&env);
    write_config(&env, "[socket]\nmode = 'all'\n");
    let run = env.path("run").display().to_string();
    for text in reports(&env, &manager) {
        for part in ["do not get through", run.as_str(), "the system's service"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("SocketMode"), "{text}");
    }
    let refused = env.jetond(&["setup", "socket"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (78, ""));
    assert!(refused.stderr.contains("do not get through"), "{refused:?}");
}

#[test]
fn the_lines_of_setup_socket_create_the_drop_in() {
    if !can_mount_or_skip("the_lines_of_setup_socket_create_the_drop_in") {
        return;
    }
    let env = TestEnv::new();
    let jetond = install(env!("CARGO_BIN_EXE_jetond"));
    let root = User {
        uid: 0,
        gid: 0,
        groups: &[],
    };
    let run = |config: &str, then: &str| {
        let prepare = format!(
            "mount -t tmpfs tmpfs /run
             mkdir -p /run/etc/jeton /run/work
             mount -t overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work overlay /etc
             mkdir -p /etc/systemd/system
             printf '{config}' >/etc/jeton/config.toml
             printf '%s\\n' '#!/bin/sh' 'echo \"$0 $*\"' >/run/systemctl; chmod 755 /run/systemctl
             PATH=/run:$PATH"
        );
        let script = format!("jetond={}; {then}", jetond.program.display());
        let command = in_mounts(&env, &prepare, root, "/bin/sh", &["-c", &script]);
        env.finish("setup", command, b"", false)
    };
    let drop_in = "cat /etc/systemd/system/jetond.socket.d/socket-mode.conf";
    let follow = format!("$jetond setup socket --system | sh -e; {drop_in}");
    let commands = "/run/systemctl daemon-reload\n/run/systemctl restart jetond.socket\n";
    for (config, settings) in [
        (
            "[socket]\\nmode = \"group\"\\ngroup = 60050\\n",
            "# SocketGroup=60050 fails, since systemd looks it up and /etc/group does not have it.
SocketMode=0660\nExecStartPost=chgrp 60050 %t/jeton/jeton.sock\n",
        ),
        // This group has a name in /etc/group.
        (
            "[socket]\\nmode = \"group\"\\ngroup = 0\\n",
            "SocketGroup=root\nSocketMode=0660\n",
        ),
        ("[socket]\\nmode = \"all\"\\n", "SocketMode=0666\n"),
        ("# private", "SocketMode=0600\n"),
    ] {
        let made = run(config, &follow);
        assert_eq!(made.code, 0, "{made:?}");
        assert_eq!(made.stdout, format!("{commands}[Socket]\n{settings}"));
        assert_eq!(made.stderr, "");
    }
    // Without a socket, `check` only warns about the unit. The warning ends after the user has followed the proposed
    // lines.
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/system/jetond.socket");
    let before = format!(
        "cp {shipped} /etc/systemd/system; sed -i s/^SocketUser=jeton/SocketUser=root/ /etc/systemd/system/jetond.socket;
         $jetond check --system >/dev/null; {follow} >/dev/null; echo followed >&2; $jetond check --system >/dev/null"
    );
    let checked = run("[socket]\\nmode = \"group\"\\ngroup = 60050\\n", &before);
    let (warned, then) = checked.stderr.split_once("followed\n").unwrap();
    assert!(warned.contains("lets in fewer users"), "{checked:?}");
    assert!(
        warned.contains("--system prints these lines"),
        "{checked:?}"
    );
    assert_eq!(then, "", "{checked:?}");
}
