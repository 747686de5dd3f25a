//! Names that only the daemon knows, and that cease to resolve on demand: a mount namespace with its own hosts file.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Runs a program with hosts of its own, which alone are asked: a resolver that asked the network as well would take as
/// long as it likes to say that a name does not exist.
const WITH_NAMES: &str =
    r#"mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/nsswitch.conf && shift && exec "$@""#;

/// Where the programs of every system are.
pub(crate) const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// The names, in a folder of their own.
pub(crate) struct Names {
    folder: TempDir,
    hosts: File,
}

/// The name of a profile's issuer. It can never be one of the network's (RFC 6761 section 6.4).
pub(crate) fn name(profile: usize) -> String {
    format!("issuer-{profile:02}.invalid")
}

fn line(profile: usize) -> String {
    format!("127.0.0.1 {}\n", name(profile))
}

impl Names {
    /// Names for so many profiles, all of which resolve.
    ///
    /// # Errors
    /// Why this machine has no mount namespaces for us.
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

    /// A program that knows the names. It takes the place of those that lead to it, so its number is the child's.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", WITH_NAMES])
            .arg(self.folder.path().join("hosts"))
            .arg(self.folder.path().join("nsswitch.conf"))
            .arg(program);
        command
    }

    /// Has a profile's name resolve from now on, or not: a single byte makes its line a comment, so that nobody reads half
    /// of a change.
    pub(crate) fn resolve(&self, profile: usize, resolves: bool) {
        let first = if resolves { b"1" } else { b"#" };
        let at = (0..profile).map(|before| line(before).len()).sum::<usize>();
        self.hosts.write_all_at(first, at as u64).unwrap();
    }
}
