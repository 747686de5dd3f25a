//! The program's own file: its path, for starting it again, and whether an upgrade replaced it.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The variables through which a service manager communicates with a process that it started (sd_notify(3),
/// sd_watchdog_enabled(3), sd_listen_fds(3)). Child processes must not inherit them.
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

/// The suffix of the link when the file has been deleted.
const DELETED: &[u8] = b" (deleted)";

/// Returns the version of this program. It is read from one place in the program's file, and not inlined by the
/// optimiser: a test of upgrades patches the number there in a copy of the file, to get a program with another version.
pub fn version() -> &'static str {
    std::hint::black_box(env!("CARGO_PKG_VERSION"))
}

/// The file of this program, with its path at the start.
#[derive(Debug)]
pub struct ProgramFile(Option<PathBuf>);

// === impl ProgramFile ===

impl ProgramFile {
    /// Records the file of this process.
    pub fn of_this_process() -> Self {
        Self(std::env::current_exe().ok())
    }

    /// Reports whether the file was replaced, renamed or removed since the start, as by an upgrade; `None` if the
    /// system does not report it. The kernel answers from memory, so a file system that hangs delays nothing.
    pub fn is_replaced(&self) -> Option<bool> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        let now = std::env::current_exe().ok()?;
        Some(is_another(self.0.as_deref()?, &now))
    }
}

/// Reports whether the file was replaced: it was at `start`, and the link now leads to `now`.
fn is_another(start: &Path, now: &Path) -> bool {
    now != start || now.as_os_str().as_bytes().ends_with(DELETED)
}

/// Returns a path by which this program can be started again. It is the file's own path if the file is still this
/// program, since `ps` shows a process under the name by which it was started.
///
/// # Errors
/// The system's error, if it does not report the path.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_file_counts_as_replaced_when_deleted_or_renamed() {
        for (start, now, replaced) in [
            ("/usr/bin/jetond", "/usr/bin/jetond", false),
            ("/usr/bin/jetond", "/usr/bin/jetond (deleted)", true),
            // Moved away in favour of a newer file.
            ("/usr/bin/jetond", "/usr/bin/jetond.old", true),
            // Started again through its own link after an upgrade.
            (
                "/usr/bin/jetond (deleted)",
                "/usr/bin/jetond (deleted)",
                true,
            ),
        ] {
            assert_eq!(is_another(start.as_ref(), now.as_ref()), replaced, "{now}");
        }
    }
}
