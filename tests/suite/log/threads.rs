//! A system that refuses the daemon a thread for its log.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};

use crate::support::TestEnv;
use crate::support::users::{User, install, is_root_or_skip};

/// A user with no processes of other tests.
const LONELY: User = User {
    uid: 54_321,
    gid: 54_321,
    groups: &[],
};

#[test]
fn a_daemon_without_a_thread_for_its_log_serves_and_logs() {
    if !is_root_or_skip("a_daemon_without_a_thread_for_its_log_serves_and_logs") {
        return;
    }
    let env = TestEnv::new();
    fs::set_permissions(env.path(""), Permissions::from_mode(0o711)).unwrap();
    for folder in ["home", "run", "state", "config"] {
        chown(env.path(folder), Some(LONELY.uid), Some(LONELY.gid)).unwrap();
    }
    let jetond = install(env!("CARGO_BIN_EXE_jetond"));
    let program = jetond.program.to_str().unwrap();
    let args = ["--nproc=1", program, "run", "--log-format", "json"];
    let command = LONELY.command(&env, "/usr/bin/prlimit", &args);
    let mut daemon = env.start_command(command);
    let tasks = format!("/proc/{}/task", daemon.child.id());
    assert_eq!(fs::read_dir(tasks).unwrap().count(), 1);
    assert_eq!(env.get(&daemon, "/healthz").status, 200);
    env.stop(&mut daemon);
    let lines = super::lines(&daemon.log());
    for message in ["serving", "answered", "stopping"] {
        assert!(lines.iter().any(|line| line["message"] == message));
    }
}
