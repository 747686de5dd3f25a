//! Host names that only the daemon resolves, and that stop resolving on demand: a mount namespace with its own hosts
//! file.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Runs a program with its own hosts file as the only source of names. If the resolver also asked the network, it could
/// take any time to report that a name does not exist.
const WITH_NAMES: &str =
    r#"mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/nsswitch.conf && shift && exec "$@""#;

/// The folders of programs on every system.
pub(crate) const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// The names, in a separate folder.
pub(crate) struct Names {
    folder: TempDir,
    hosts: File,
}

/// Returns the name of a profile's issuer. It never exists in the network (RFC 6761 section 6.4).
pub(crate) fn name(profile: usize) -> String {
    format!("issuer-{profile:02}.invalid")
}

fn line(profile: usize) -> String {
    format!("127.0.0.1 {}\n", name(profile))
}

impl Names {
    /// Creates names for this many profiles, all of which resolve.
    ///
    /// # Errors
    /// The reason why this process cannot have a mount namespace.
    pub(crate) fn new(count: usize) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("jt").tempdir().unwrap();
        let lines: String = (0..count).map(line).collect();
        fs::write(folder.path().join("hosts"), lines).unwrap();
        fs::write(folder.path().join("nsswitch.conf"), "hosts: files\n").unwrap();
        let hosts = File::options()
            .write(true)
            .open(folder.path().join("hosts"));
        let names = Self {
            folder,
            hosts: hosts.unwrap(),
        };
        let mut probe = names.command("true");
        match probe.env("PATH", PATH).stdin(Stdio::null()).output() {
            Err(error) => Err(format!("unshare cannot be run: {error}")),
            Ok(output) if !output.status.success() => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(said.lines().next().unwrap_or("unshare failed").to_owned())
            }
            Ok(_) => Ok(names),
        }
    }

    /// Builds the command of a program with the names. It replaces the helper programs that start it, so its process ID
    /// is the child's.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", WITH_NAMES])
            .arg(self.folder.path().join("hosts"))
            .arg(self.folder.path().join("nsswitch.conf"))
            .arg(program);
        command
    }

    /// Makes a profile's name resolve from now on, or not. A single byte turns its line into a comment, so that no
    /// reader sees half of a change.
    pub(crate) fn resolve(&self, profile: usize, resolves: bool) {
        let first = if resolves { b"1" } else { b"#" };
        let at = (0..profile).map(|before| line(before).len()).sum::<usize>();
        self.hosts.write_all_at(first, at as u64).unwrap();
    }
}
