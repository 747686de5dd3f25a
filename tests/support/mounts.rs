//! Programs in mounts of their own: volumes as a pod has them, and other lists of users and groups.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::users::{User, are_root};
use super::{TestEnv, ignored};

/// Whether this test can be run here: mounts take root, and a kernel that lets it make a namespace.
pub(crate) fn can_mount(test: &str) -> bool {
    if !are_root(test) {
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

/// A program of this user in mounts of its own, which these lines of a shell make as root. It has the process ID of what
/// is started, so signals reach it.
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

/// Lines that mount an empty volume at this path, made as these lines say: `$v` is the path.
pub(crate) fn volume(at: &Path, then: &str) -> String {
    let at = at.display();
    format!("v='{at}'; mkdir -p \"$v\"; mount -t tmpfs tmpfs \"$v\"; {then}")
}

/// Where a path in the mounts of another process is for everybody else.
pub(crate) fn seen_from_outside(pid: u32, path: &Path) -> PathBuf {
    let relative = path.strip_prefix("/").unwrap();
    Path::new("/proc")
        .join(pid.to_string())
        .join("root")
        .join(relative)
}
