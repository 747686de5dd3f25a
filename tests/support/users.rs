//! Other users of the machine: programs and requests of theirs, as the kernel reports them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use tempfile::TempDir;

use super::http::{self, Response};
use super::{TestEnv, ignored};

/// A user by IDs, which need no names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The supplementary groups.
    pub(crate) groups: &'static [u32],
}

/// A program that every user can run. It is outside the environment's folder, in which every file is searched for
/// secrets.
pub(crate) struct Installed {
    pub(crate) program: PathBuf,
    _folder: TempDir,
}

/// Returns whether this test can run here: only root can run programs as another user, and it needs `setpriv`.
pub(crate) fn is_root_or_skip(test: &str) -> bool {
    if !rustix::process::geteuid().is_root() {
        ignored(&format!(
            "{test}: only root can run programs as another user"
        ));
        return false;
    }
    let there = Command::new("setpriv").arg("--version").output().is_ok();
    if !there {
        ignored(&format!(
            "{test}: there is no setpriv here; install the package util-linux"
        ));
    }
    there
}

/// Copies a program to a folder in which every user can run it.
pub(crate) fn install(program: &str) -> Installed {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let target = folder.path().join(Path::new(program).file_name().unwrap());
    // Copied with install(1), because a file that a child of another test holds open for writing cannot be run.
    let status = Command::new("install")
        .args(["-m", "755", program])
        .arg(&target)
        .status()
        .unwrap();
    assert!(status.success());
    Installed {
        program: target,
        _folder: folder,
    }
}

impl User {
    /// Returns a command that runs a program as this user, with the environment's variables.
    pub(crate) fn command(
        self,
        env: &TestEnv,
        program: impl AsRef<Path>,
        args: &[&str],
    ) -> Command {
        let mut command = env.command("setpriv");
        command
            .args(self.setpriv())
            .arg(program.as_ref())
            .args(args);
        command
    }

    /// Returns the options for `setpriv`.
    pub(crate) fn setpriv(self) -> [String; 3] {
        let groups: Vec<_> = self.groups.iter().map(u32::to_string).collect();
        [
            format!("--reuid={}", self.uid),
            format!("--regid={}", self.gid),
            if groups.is_empty() {
                "--clear-groups".to_owned()
            } else {
                format!("--groups={}", groups.join(","))
            },
        ]
    }

    /// Changes the user of this thread only.
    pub(crate) fn switch_thread(self) {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let groups: Vec<_> = self.groups.iter().copied().map(Gid::from_raw).collect();
        set_thread_groups(&groups).unwrap();
        set_thread_res_gid(gid, gid, gid).unwrap();
        set_thread_res_uid(uid, uid, uid).unwrap();
    }

    /// Connects as this user, from a new thread that becomes the user first.
    pub(crate) fn connect(self, socket: &Path) -> UnixStream {
        let connect = || {
            self.switch_thread();
            http::connect(socket)
        };
        std::thread::scope(|scope| scope.spawn(connect).join().unwrap())
    }

    /// Makes a request as this user on a new connection. Returns the answer, and what the daemon sent after it if the
    /// answer closes the connection.
    pub(crate) fn ask(
        self,
        env: &TestEnv,
        socket: &Path,
        method: &str,
        target: &str,
    ) -> (Response, Vec<u8>) {
        let mut stream = self.connect(socket);
        let response = ask_on(env, &mut stream, method, target);
        let mut rest = vec![];
        if response.header("connection") == Some("close") {
            stream.read_to_end(&mut rest).unwrap();
        }
        (response, rest)
    }
}

/// Makes a request on a connection, which stays open if the daemon allows it.
pub(crate) fn ask_on(
    env: &TestEnv,
    stream: &mut UnixStream,
    method: &str,
    target: &str,
) -> Response {
    let request =
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    // A refused user's connection is closed soon, perhaps before a slow test has sent the request. The answer is there.
    match stream.write_all(request.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        written => written.unwrap(),
    }
    let response = http::read_response(stream).unwrap();
    let asked = response.status == 200 && target.ends_with("/token");
    env.add_output("an answer to another user", &response.body, asked);
    response
}
