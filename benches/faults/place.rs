//! A hermetic place: folders and an environment, the sandboxes, and the daemon as a program.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use jetond::credential::ClientSecret;
use jetond::sandbox::{Fault, Line, Options, Sandbox};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::names::{Names, PATH, name};
use super::way::{DNS, IssuerFault};

/// The lifetime of a token.
pub(crate) const LIFE: Duration = Duration::from_secs(36);

const SECRET: &str = "not-a-secret";

/// A place with its sandboxes, whose credentials are enrolled.
pub(crate) struct BenchEnv {
    folder: TempDir,
    /// `None` if the issuers' addresses are IP literals.
    names: Option<Names>,
    sandboxes: Vec<Sandbox>,
    runtime: tokio::runtime::Runtime,
}

/// The daemon, which ends when this value is dropped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) socket: PathBuf,
}

/// Returns a profile's name.
pub(crate) fn profile_name(profile: usize) -> String {
    format!("p{profile:02}")
}

impl BenchEnv {
    /// Creates this many profiles, each enrolled at its own sandbox.
    pub(crate) fn new(profiles: usize, names: Option<Names>) -> Self {
        let folder = tempfile::Builder::new().prefix("jt").tempdir().unwrap();
        for name in ["run", "state", "config"] {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        }
        let secret = folder.path().join("secret");
        fs::write(&secret, SECRET).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let mut place = Self {
            folder,
            names,
            sandboxes: vec![],
            runtime,
        };
        for profile in 0..profiles {
            place.enrol(profile, &secret);
        }
        place
    }

    fn enrol(&mut self, profile: usize, secret: &Path) {
        let options = Options {
            token_life: LIFE,
            tls: true,
            names: vec![name(profile)],
            ..Options::new(Line::V2_24, "faults", ClientSecret::parse(SECRET).unwrap())
        };
        let sandbox = self.runtime.block_on(Sandbox::start(options)).unwrap();
        let ca = self
            .folder
            .path()
            .join(format!("{}.pem", profile_name(profile)));
        fs::write(&ca, sandbox.ca().unwrap()).unwrap();
        let mut url = sandbox.url();
        if self.names.is_some() {
            url = url.replace("127.0.0.1", &name(profile));
        }
        self.sandboxes.push(sandbox);
        let added = self
            .jetond()
            .args(["add", &profile_name(profile), "--provider", "runai"])
            .args(["--client-id", "faults", "--url", &url])
            .arg("--client-secret-file")
            .arg(secret)
            .arg("--ca-file")
            .arg(&ca)
            .status()
            .unwrap();
        assert!(added.success(), "jetond add failed: {}", self.log_end());
    }

    fn jetond(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_jetond");
        let mut command = match &self.names {
            Some(names) => names.command(program),
            None => Command::new(program),
        };
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"));
        command
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", self.folder.path())
            .env("XDG_RUNTIME_DIR", self.folder.path().join("run"))
            .env("XDG_STATE_HOME", self.folder.path().join("state"))
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"))
            .env("JETON_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.unwrap());
        command
    }

    /// Starts the daemon, and waits until it accepts connections. It has no token yet.
    pub(crate) fn daemon(&self) -> Daemon {
        let child = self.jetond().arg("run").spawn().unwrap();
        let socket = self.folder.path().join("run/jeton/jeton.sock");
        let daemon = Daemon { child, socket };
        let start = Instant::now();
        while UnixStream::connect(&daemon.socket).is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "no daemon");
            std::thread::sleep(Duration::from_millis(5));
        }
        daemon
    }

    /// Runs a future on the sandboxes' thread.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.runtime.spawn(future)
    }

    /// Sets a profile's first fault.
    pub(crate) fn start_with(&self, profile: usize, way: &IssuerFault) {
        self.runtime.block_on(self.put(profile, Some(way)));
    }

    /// Sets or ends a fault at a profile's issuer.
    pub(crate) async fn put(&self, profile: usize, way: Option<&IssuerFault>) {
        if let Some(names) = &self.names {
            names.resolve(profile, way.is_none_or(|way| way.fault != DNS));
        }
        let fault = way.filter(|way| way.fault != DNS);
        let fault = fault.map(|way| Fault::parse(way.fault).unwrap());
        self.sandboxes[profile].set_fault(fault).await.unwrap();
    }

    /// Returns the last lines of the daemon's log.
    pub(crate) fn log_end(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Daemon {
    /// Returns the processor time of its main thread, which serves the requests.
    pub(crate) fn cpu_time(&self) -> Duration {
        let path = format!("/proc/{}/schedstat", self.child.id());
        let text = fs::read_to_string(path).unwrap_or_default();
        let nanos = text.split(' ').next().and_then(|n| n.parse().ok());
        Duration::from_nanos(nanos.unwrap_or(0))
    }

    /// Returns how the daemon ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
