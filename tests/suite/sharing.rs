//! One daemon for several users, and several daemons of several users: the socket's mode, the `allow` rules, and where
//! sockets may be.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

mod files;
mod groups;
mod guests;
mod keys;
mod modes;
mod names;
mod places;
mod remedies;
mod rules;
mod system_folder;
mod tools;
mod volumes;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::enrol::write_config;
use crate::support::TestEnv;
use crate::support::daemon::{Daemon, accepts, wait_until};
use crate::support::users::User;

/// The ID of a group for the socket. It has no name.
const TEAM: u32 = 60_050;

/// Users of the machine. All except Mallory are in the team.
pub(crate) const ALICE: User = User {
    uid: 60_001,
    gid: 60_001,
    groups: &[TEAM],
};
const BOB: User = User {
    uid: 60_002,
    gid: 60_002,
    groups: &[7, TEAM, 60_060],
};
const CAROL: User = User {
    uid: 60_003,
    gid: TEAM,
    groups: &[],
};
const MALLORY: User = User {
    uid: 60_004,
    gid: 60_004,
    groups: &[],
};

/// Returns the mode, the owner and the group of a file.
fn found(path: &Path) -> (u32, u32, u32) {
    let meta = path.symlink_metadata().unwrap();
    (meta.permissions().mode() & 0o7777, meta.uid(), meta.gid())
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// A test environment with the profiles `research` and `ci`. Its folders are open to other users.
pub(crate) fn shared_place() -> TestEnv {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.enrol("ci");
    chmod(&env.path(""), 0o711);
    env
}

/// Writes a configuration: the `[socket]` table, the enrolled profiles, and these rules.
fn configure(env: &TestEnv, profiles: &str, socket: &str, rules: &[(&str, &str)]) {
    let mut text = format!("[socket]\n{socket}\n\n{profiles}\n");
    for (profile, rule) in rules {
        text.push_str(&format!("[[profiles.{profile}.allow]]\n{rule}\n"));
    }
    write_config(env, text);
}

/// Returns the path of the shared socket.
fn shared_socket(env: &TestEnv) -> PathBuf {
    env.path("shared/jeton.sock")
}

/// Starts a daemon whose token socket is at this path.
fn start_at(env: &TestEnv, command: Command, socket: &Path) -> Daemon {
    let mut daemon = env.spawn_command(command);
    socket.clone_into(&mut daemon.socket);
    let folder = socket.parent().unwrap();
    let name = format!("{}-admin", folder.file_name().unwrap().to_str().unwrap());
    daemon.admin = folder.with_file_name(name).join("admin.sock");
    wait_until("the daemon to serve", || {
        let ended = daemon.child.try_wait().unwrap();
        assert!(
            ended.is_none(),
            "the daemon ended with {ended:?}: {}",
            daemon.log()
        );
        accepts(socket) && accepts(&daemon.admin)
    });
    daemon.record_proc();
    daemon
}

/// Starts the shared daemon.
pub(crate) fn start_shared(env: &TestEnv) -> Daemon {
    let socket = shared_socket(env);
    let command = env.jetond_command(&["run", "--socket", socket.to_str().unwrap()]);
    start_at(env, command, &socket)
}
