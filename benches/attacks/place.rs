//! A hermetic place: folders of the daemon's user, two issuers, and the two servers as programs.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::honest;
use super::issuer::{Issuer, SECRET};
use super::users::{ALLOWED, OWNER};

/// The longest token that the daemon accepts, in bytes.
const LONG_TOKEN: usize = 65_536;

/// The number of profiles without a credential, which make the list of all profiles long.
const LISTED: usize = 200;

/// The place, with two profiles: `p1`, for the honest clients, and `big`, with the longest possible token.
pub(crate) struct BenchEnv {
    folder: TempDir,
    /// The issuer of `p1`, and that of `big`.
    pub(crate) issuers: [Issuer; 2],
}

/// A server that runs as a program, and ends when this value is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) socket: PathBuf,
    /// The daemon's other socket.
    pub(crate) admin: PathBuf,
}

impl BenchEnv {
    /// Creates the place, with both profiles enrolled. Tokens of the second issuer have the lifetime `life`.
    pub(crate) fn new(life: Duration) -> Self {
        let folder = tempfile::Builder::new().prefix("jt").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["run", "state", "config", "shared"] {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
            chown(&path, Some(OWNER.0), Some(OWNER.0)).unwrap();
        }
        let program = folder.path().join("jetond");
        fs::copy(env!("CARGO_BIN_EXE_jetond"), &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let secret = folder.path().join("secret");
        fs::write(&secret, SECRET).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&secret, Some(OWNER.0), Some(OWNER.0)).unwrap();
        let issuers = [Duration::from_secs(3_600), life].map(Issuer::start);
        let place = Self { folder, issuers };
        place.enrol("p1", 0, &secret);
        place.enrol("big", 1, &secret);
        place.configure();
        place
    }

    fn enrol(&self, profile: &str, issuer: usize, secret: &Path) {
        let url = &self.issuers[issuer].url;
        let added = self
            .jetond(&["add", profile, "--provider", "runai", "--url", url])
            .args(["--client-id", "attacks", "--client-secret-file"])
            .arg(secret)
            .status()
            .unwrap();
        assert!(added.success(), "jetond add failed: {}", self.log_end());
    }

    /// Opens the socket to all users, and the profiles to the allowed ones.
    fn configure(&self) {
        let path = self.folder.path().join("config/jeton/config.toml");
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("\n[socket]\nmode = \"all\"\n");
        for n in 0..LISTED {
            let url = &self.issuers[0].url;
            text.push_str(&format!(
                "\n[profiles.listed-{n:03}]\nprovider = \"runai\"\nurl = \"{url}\"\nstore = \"file\"\n"
            ));
        }
        let listed = (0..LISTED).map(|n| format!("listed-{n:03}"));
        for profile in listed.chain(["p1".to_owned(), "big".to_owned()]) {
            for user in ALLOWED {
                let uid = user.0;
                text.push_str(&format!("\n[[profiles.{profile}.allow]]\nuid = {uid}\n"));
            }
        }
        fs::write(&path, text).unwrap();
    }

    fn jetond(&self, args: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"));
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.folder.path())
            .env("XDG_RUNTIME_DIR", self.folder.path().join("run"))
            .env("XDG_STATE_HOME", self.folder.path().join("state"))
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"))
            .env("JETON_LOG", "info")
            .args(OWNER.setpriv())
            .arg(self.folder.path().join("jetond"))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.unwrap());
        command
    }

    /// Starts a daemon, and waits until it holds a token of `p1` and, with `long_token`, the longest one of `big`.
    pub(crate) fn daemon(&mut self, long_token: bool) -> Server {
        if long_token {
            let token = "t".repeat(LONG_TOKEN);
            let body =
                format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#);
            self.issuers[1].fault(&format!("answer:200:{body}"));
        }
        let folder = self.folder.path();
        let socket = folder.join("shared/socket/jeton.sock");
        let admin = folder.join("shared/socket-admin/admin.sock");
        fs::set_permissions(folder.join("shared"), fs::Permissions::from_mode(0o755)).unwrap();
        let child = self
            .jetond(&["run", "--socket", socket.to_str().unwrap()])
            .spawn()
            .unwrap();
        let server = Server {
            child,
            socket,
            admin,
        };
        server.wait(&|| self.log_end());
        for profile in ["p1", "big"].iter().take(1 + usize::from(long_token)) {
            let request =
                format!("GET /v1/profiles/{profile}/token HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let start = Instant::now();
            let mut asked = honest::once(&server.socket, request.as_bytes());
            // On a busy machine the first attempt may take longer than a request waits.
            while asked.is_err() && start.elapsed() < Duration::from_secs(30) {
                std::thread::sleep(Duration::from_millis(50));
                asked = honest::once(&server.socket, request.as_bytes());
            }
            assert!(asked.is_ok(), "{profile}: {asked:?}: {}", self.log_end());
        }
        server
    }

    /// Starts the twin, whose replies have bodies of this length.
    pub(crate) fn twin(&self, length: usize) -> Server {
        let socket = self.folder.path().join("twin.sock");
        let _ = fs::remove_file(&socket);
        let child = Command::new(std::env::current_exe().unwrap())
            .arg("twin")
            .arg(&socket)
            .arg(length.to_string())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server {
            child,
            admin: socket.clone(),
            socket,
        };
        server.wait(&String::new);
        server
    }

    /// Returns the last lines of the daemon's log.
    pub(crate) fn log_end(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Server {
    fn wait(&self, log: &dyn Fn() -> String) {
        let start = Instant::now();
        while UnixStream::connect(&self.socket).is_err() {
            let waited = start.elapsed();
            assert!(waited < Duration::from_secs(30), "no server: {}", log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns a figure of `/proc/PID/status` in KiB, such as `VmHWM`.
    pub(crate) fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let figure = line.unwrap().trim_start_matches(':').trim();
        figure.trim_end_matches(" kB").parse().unwrap()
    }

    /// Returns how the server ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
