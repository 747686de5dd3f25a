//! This program, for starting it once more.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The variables by which a service manager speaks to the process that it has started (sd_notify(3),
/// sd_watchdog_enabled(3), sd_listen_fds(3)). A process that we start must not take them for its own.
pub const SERVICE_VARIABLES: [&str; 7] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LISTEN_FDNAMES",
];

/// What Linux calls the program of a process, also after an upgrade has replaced its file (proc(5)).
const RUNNING: &str = "/proc/self/exe";

/// The path by which this program can be started again. It is the file's own where that is still this program, since
/// `ps` shows a process by the name under which it was started.
///
/// # Errors
/// The system's, where it does not tell.
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
