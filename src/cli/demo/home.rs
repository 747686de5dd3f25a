//! A temporary folder for all files of the demo's programs, and the commands that run in it.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::paths::Platform;

/// The longest path below the folder's parent.
const LONGEST: &str = "jd12345678/jeton-admin/admin.sock";

/// Time limit of a command.
const PATIENCE: Duration = Duration::from_secs(15);

/// The folder. It is removed when this value is dropped.
pub(super) struct Home(TempDir);

impl Home {
    /// Makes a folder of mode 0700 whose path leaves room for a socket's path.
    pub(super) fn new() -> io::Result<Self> {
        Self::below(std::path::absolute(std::env::temp_dir())?)
    }

    fn below(usual: PathBuf) -> io::Result<Self> {
        let fits = usual.join(LONGEST).as_os_str().len() <= Platform::CURRENT.max_socket_path();
        let base = if fits { usual } else { PathBuf::from("/tmp") };
        let folder = tempfile::Builder::new()
            .prefix("jd")
            .rand_bytes(8)
            // The crate's default mode depends on the umask.
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(base)?;
        Ok(Self(folder))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Removes the folder now, and reports if that fails.
    pub(super) fn remove(self) -> Result<(), String> {
        let path = self.path().display().to_string();
        self.0
            .close()
            .map_err(|e| format!("{path} could not be removed: {e}"))
    }

    /// Builds a command that finds everything in our folder and nothing elsewhere, independent of the user's settings.
    pub(super) fn command(&self, program: &Path) -> Command {
        let root = self.path();
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", root)
            .env("JETON_CONFIG", root.join("config.toml"))
            .env("XDG_STATE_HOME", root.join("state"))
            .env("XDG_RUNTIME_DIR", root)
            .env("NO_COLOR", "1")
            .env("COLUMNS", "80")
            .current_dir(root)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

/// Runs a command to its end; returns its standard output, or the reason that it printed.
pub(super) async fn finish(name: &str, mut command: Command) -> Result<String, String> {
    let output = tokio::time::timeout(PATIENCE, command.output())
        .await
        .map_err(|_| format!("{name} took too long"))?
        .map_err(|e| format!("{name} could not be started: {e}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let why = String::from_utf8_lossy(&output.stderr);
        Err(format!("{name}: {} ({})", why.trim_end(), output.status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_folder_is_private_short_enough_for_a_socket_and_removed() {
        let usual = tempfile::tempdir().unwrap();
        let long = usual.path().join("x".repeat(100));
        std::fs::create_dir(&long).unwrap();
        for (base, found) in [(usual.path(), usual.path()), (&long, Path::new("/tmp"))] {
            let home = Home::below(base.to_owned()).unwrap();
            let path = home.path().to_owned();
            assert_eq!(path.parent(), Some(found));
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
            home.remove().unwrap();
            assert!(!path.exists());
        }
    }

    #[tokio::test]
    async fn the_output_of_a_failed_program_is_quoted() {
        let home = Home::new().unwrap();
        let shell = |script: &str| {
            let mut command = home.command(Path::new("/bin/sh"));
            command.args(["-c", script]);
            command
        };
        let out = finish("it", shell("echo $HOME")).await.unwrap();
        assert_eq!(Path::new(out.trim_end()), home.path());
        let why = finish("it", shell("echo reason >&2; exit 3")).await;
        assert_eq!(why, Err("it: reason (exit status: 3)".to_owned()));
    }
}
