//! Programs in a mount namespace: volumes as in a pod, and other lists of users and groups.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::users::{User, is_root_or_skip};
use super::{TestEnv, ignored};

/// Returns whether this test can run here: mounts need root, and a kernel that allows root to create a namespace.
pub(crate) fn can_mount_or_skip(test: &str) -> bool {
    if !is_root_or_skip(test) {
        return false;
    }
    let made = Command::new("unshare")
        .args(["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"])
        .stderr(Stdio::null())
        .status();
    let can = made.is_ok_and(|status| status.success());
    if !can {
        ignored(&format!("{test}: no mount namespaces here"));
    }
    can
}

/// Returns a command that runs a program as this user, in mounts that these shell commands make as root. The program
/// has the process ID of the started process, so signals reach it.
pub(crate) fn in_mounts(
    env: &TestEnv,
    prepare: &str,
    user: User,
    program: impl AsRef<Path>,
    args: &[&str],
) -> Command {
    let mut command = env.command("unshare");
    let script = format!("set -e\n{prepare}\nexec setpriv \"$@\"");
    command.args(["-m", "sh", "-c", &script, "sh"]);
    command
        .args(user.setpriv())
        .arg(program.as_ref())
        .args(args);
    command
}

/// Returns shell commands that mount an empty volume at this path and then run `then`. In it, `$v` is the path.
pub(crate) fn volume(at: &Path, then: &str) -> String {
    let at = at.display();
    format!("v='{at}'; mkdir -p \"$v\"; mount -t tmpfs tmpfs \"$v\"; {then}")
}

/// Returns the path by which other processes reach a path in a process's mounts.
pub(crate) fn seen_from_outside(pid: u32, path: &Path) -> PathBuf {
    let relative = path.strip_prefix("/").unwrap();
    Path::new("/proc")
        .join(pid.to_string())
        .join("root")
        .join(relative)
}
