//! The path of this program, for starting it again.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The variables through which a service manager talks to the process that it has started (sd_notify(3),
/// sd_watchdog_enabled(3), sd_listen_fds(3)). A process that we start must not use them.
pub const SERVICE_VARIABLES: [&str; 7] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LISTEN_FDNAMES",
];

/// Linux's link to the program of a process, which stays valid after an upgrade has replaced the file (proc(5)).
const RUNNING: &str = "/proc/self/exe";

/// Returns a path by which this program can be started again. It is the file's own path if the file is still this
/// program, since `ps` shows a process under the name by which it was started.
///
/// # Errors
/// The system's, if it does not report the path.
pub fn this_program() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    if cfg!(target_os = "linux") && !is_same_file(&path, Path::new(RUNNING)) {
        return Ok(RUNNING.into());
    }
    Ok(path)
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    let id = |path: &Path| path.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
    id(a).is_some_and(|a| id(b) == Some(a))
}
