//! A hermetic test environment, with folders, environment variables and a client secret of its own. Leaks of the secret
//! fail the test.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use jetond::credential::ClientSecret;
use jetond::sandbox::{Fault, Line, Options, Sandbox};
use tempfile::TempDir;

use super::daemon::{Daemon, accepts, wait_until};
use super::document;
use super::http::{self, Response};
use super::leaks::{Canary, Search};

/// A program's output and exit code.
#[derive(Debug, Clone)]
#[must_use = "assert on what it printed or on its exit code"]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The test environment. When it is dropped after a successful test, it searches all outputs for its secret and for
/// every token that its sandboxes issued. A log with dropped lines also fails the test, because those lines cannot be
/// searched.
pub(crate) struct TestEnv {
    root: TempDir,
    runtime: tokio::runtime::Runtime,
    sandboxes: Vec<Sandbox>,
    /// The client secrets, the newest last.
    secrets: Vec<String>,
    /// The outputs, each with whether a token was requested there.
    out: RefCell<Vec<(String, Vec<u8>, bool)>>,
    extra: Vec<(Kind, Canary)>,
    /// Whether dropped log lines are allowed.
    gaps_expected: Cell<bool>,
    /// The files to which a token is written.
    sinks: RefCell<Vec<PathBuf>>,
}

impl TestEnv {
    /// Creates an environment without a sandbox.
    pub(crate) fn new() -> Self {
        super::signals::default_in_children();
        let root = tempfile::Builder::new().prefix("jt").tempdir().unwrap();
        for folder in ["home", "run", "state", "config", "tmp", "out"] {
            DirBuilder::new()
                .mode(0o700)
                .create(root.path().join(folder))
                .unwrap();
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        Self {
            root,
            runtime,
            sandboxes: vec![],
            secrets: vec![fresh_secret()],
            out: RefCell::default(),
            extra: vec![],
            gaps_expected: Cell::new(false),
            sinks: RefCell::default(),
        }
    }

    /// Creates an environment with a sandbox of the newest server line, whose tokens last this many seconds.
    pub(crate) fn with_sandbox(token_life: u64) -> Self {
        Self::with_line(Line::V2_24, token_life)
    }

    /// Creates an environment with a sandbox of this server line.
    pub(crate) fn with_line(line: Line, token_life: u64) -> Self {
        let mut env = Self::new();
        env.add_sandbox(line, token_life);
        env
    }

    /// Adds a sandbox with the same application. Returns its number.
    pub(crate) fn add_sandbox(&mut self, line: Line, token_life: u64) -> usize {
        self.add_sandbox_that(line, token_life, |_| {})
    }

    /// Adds a sandbox with changed options. Returns its number.
    pub(crate) fn add_sandbox_that(
        &mut self,
        line: Line,
        token_life: u64,
        change: impl FnOnce(&mut Options),
    ) -> usize {
        let secret = ClientSecret::parse(self.secret()).unwrap();
        let mut options = Options {
            token_life: Duration::from_secs(token_life),
            ..Options::new(line, "test-client".to_owned(), secret)
        };
        change(&mut options);
        let sandbox = self.runtime.block_on(Sandbox::start(options)).unwrap();
        self.sandboxes.push(sandbox);
        self.sandboxes.len() - 1
    }

    /// Returns the first sandbox.
    pub(crate) fn sandbox(&self) -> &Sandbox {
        self.sandboxes
            .first()
            .expect("this test environment has a sandbox")
    }

    /// Returns all sandboxes.
    pub(crate) fn sandboxes(&self) -> &[Sandbox] {
        &self.sandboxes
    }

    /// Sets the first sandbox's fault.
    pub(crate) fn fault(&self, fault: &str) {
        self.fault_at(0, fault);
    }

    /// Sets the fault of a sandbox. `none` ends it.
    pub(crate) fn fault_at(&self, sandbox: usize, fault: &str) {
        let fault = (fault != "none").then(|| Fault::parse(fault).unwrap());
        self.runtime
            .block_on(self.sandboxes[sandbox].set_fault(fault))
            .unwrap();
    }

    /// Runs a future on the sandbox's runtime.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Returns a path in the environment.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.path().join(relative)
    }

    /// Returns the path of the configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.path("config/jeton/config.toml")
    }

    /// Returns the file that stores a profile's credential.
    pub(crate) fn record(&self, profile: &str) -> PathBuf {
        self.path(&format!("state/jeton/credentials/{profile}.json"))
    }

    /// Returns the client secret, a canary. If there were several, the newest.
    pub(crate) fn secret(&self) -> &str {
        self.secrets
            .last()
            .expect("a new test environment has a secret")
    }

    /// Gives the sandbox's application a new client secret, without notice to the daemon.
    pub(crate) fn replace_secret(&mut self) {
        self.secrets.push(fresh_secret());
        self.sandbox()
            .set_secret(ClientSecret::parse(self.secret()).unwrap());
    }

    /// Adds a text that must not appear in any output.
    pub(crate) fn forbid(&mut self, name: &str, text: &str) {
        self.extra.push((Kind::Extra, Canary::new(name, text)));
    }

    /// Adds another client secret. It is allowed only where the environment's own secret is.
    pub(crate) fn forbid_secret(&mut self, name: &str, secret: &str) {
        self.extra.push((Kind::Secret, Canary::new(name, secret)));
    }

    /// Adds a token of another issuer. It is allowed only where a token was requested.
    pub(crate) fn forbid_token(&mut self, token: &str) {
        self.extra
            .push((Kind::Token, Canary::new("a token", token)));
    }

    /// Adds an output to those that are searched.
    pub(crate) fn add_output(&self, what: &str, bytes: &[u8], token_asked_for: bool) {
        self.out
            .borrow_mut()
            .push((what.to_owned(), bytes.to_vec(), token_asked_for));
    }

    /// Returns a command with the environment's variables only, at log level TRACE.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", self.path("home"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("TMPDIR", self.path("tmp"))
            .env("JETON_LOG", "trace")
            .env("RUST_BACKTRACE", "1")
            .current_dir(self.path("home"));
        command
    }

    /// Returns a `jetond` command with these arguments.
    pub(crate) fn jetond_command(&self, args: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_jetond"));
        command.args(args);
        command
    }

    /// Runs `jetond` with these arguments to its end.
    pub(crate) fn jetond(&self, args: &[&str]) -> Output {
        self.finish("jetond", self.jetond_command(args), b"", false)
    }

    /// Runs `jeton` with these arguments to its end. Its standard output may contain a token if the verb is one that
    /// prints it.
    pub(crate) fn jeton(&self, args: &[&str]) -> Output {
        let mut command = self.command(env!("CARGO_BIN_EXE_jeton"));
        command.args(args);
        let asked = args
            .iter()
            .any(|arg| ["token", "header", "reject"].contains(arg));
        self.finish("jeton", command, b"", asked)
    }

    /// Runs a program to its end with this standard input, and adds its output to those that are searched.
    pub(crate) fn finish(
        &self,
        what: &str,
        mut command: Command,
        stdin: &[u8],
        token_asked_for: bool,
    ) -> Output {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that does not read its input may have ended already.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        let output = child.wait_with_output().unwrap();
        self.add_output(
            &format!("stdout of {what}"),
            &output.stdout,
            token_asked_for,
        );
        self.add_output(&format!("stderr of {what}"), &output.stderr, false);
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Writes the client secret to a file of mode 0600, for `--client-secret-file`.
    pub(crate) fn secret_file(&self) -> PathBuf {
        let path = self.path("secret");
        fs::write(&path, format!("{}\n", self.secret())).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path
    }

    /// Enrols the sandbox's application as this profile.
    pub(crate) fn enrol(&self, profile: &str) {
        self.enrol_at(profile, &self.sandbox().url());
    }

    /// Enrols the application as this profile, at this address.
    pub(crate) fn enrol_at(&self, profile: &str, url: &str) {
        let added = self.try_enrol_at(profile, url);
        assert_eq!(added.code, 0, "{added:?}");
    }

    /// The same, but the enrolment may fail.
    pub(crate) fn try_enrol_at(&self, profile: &str, url: &str) -> Output {
        self.try_enrol_with(profile, url, &[])
    }

    /// The same with more arguments.
    pub(crate) fn try_enrol_with(&self, profile: &str, url: &str, more: &[&str]) -> Output {
        let secret = self.secret_file();
        let enrolment = [
            "add",
            profile,
            "--provider",
            "runai",
            "--url",
            url,
            "--client-id",
            "test-client",
            "--client-secret-file",
            secret.to_str().unwrap(),
        ];
        self.jetond(&[&enrolment, more].concat())
    }

    /// Writes the CA of a sandbox to a file. Returns `None` if the sandbox has no TLS.
    pub(crate) fn ca_file(&self, sandbox: usize) -> Option<String> {
        let path = self.path(&format!("sandbox-{sandbox}.pem"));
        fs::write(&path, self.sandboxes[sandbox].ca()?).unwrap();
        Some(path.to_str().unwrap().to_owned())
    }

    /// Starts a daemon and waits until it serves.
    pub(crate) fn start(&self) -> Daemon {
        self.start_with(&[])
    }

    /// Starts a daemon with these arguments and waits until it serves.
    pub(crate) fn start_with(&self, args: &[&str]) -> Daemon {
        self.start_command(self.jetond_command(&[&["run"], args].concat()))
    }

    /// Starts a daemon with this command and waits until it serves.
    pub(crate) fn start_command(&self, command: Command) -> Daemon {
        self.serving(self.spawn_command(command))
    }

    /// Waits until a started daemon serves.
    pub(crate) fn serving(&self, mut daemon: Daemon) -> Daemon {
        let sockets = [daemon.socket.clone(), daemon.admin.clone()];
        wait_until("the daemon to serve", || {
            let ended = daemon.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "the daemon ended with {ended:?}: {}",
                daemon.log()
            );
            sockets.iter().all(|socket| accepts(socket))
        });
        daemon.record_proc();
        daemon
    }

    /// Starts a daemon without waiting.
    pub(crate) fn spawn(&self, args: &[&str]) -> Daemon {
        self.spawn_command(self.jetond_command(&[&["run"], args].concat()))
    }

    /// Starts a daemon with this command, without waiting.
    pub(crate) fn spawn_command(&self, mut command: Command) -> Daemon {
        let (file, output) = self.output_file();
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap());
        self.spawn_into(command, file, output)
    }

    /// The same, with the command's own standard input and output.
    pub(crate) fn spawn_as_it_is(&self, command: Command) -> Daemon {
        let (file, output) = self.output_file();
        self.spawn_into(command, file, output)
    }

    fn output_file(&self) -> (File, PathBuf) {
        let out = self.path("out");
        let output = out.join(format!("jetond-{}", fs::read_dir(&out).unwrap().count()));
        (File::create(&output).unwrap(), output)
    }

    fn spawn_into(&self, mut command: Command, file: File, output: PathBuf) -> Daemon {
        let child = command.stderr(file).spawn().unwrap();
        Daemon {
            child,
            socket: self.path("run/jeton/jeton.sock"),
            admin: self.path("run/jeton-admin/admin.sock"),
            output,
            seen_in_proc: vec![],
        }
    }

    /// Makes a request on a new connection. The answer may contain a token if the path requests one.
    pub(crate) fn request(
        &self,
        socket: &Path,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let response = http::request(socket, method, target, headers, body);
        document::assert_documented(socket, method, target, &response);
        let path = target.split('?').next().unwrap();
        let asked =
            response.status == 200 && (path.ends_with("/token") || path.ends_with("/token/reject"));
        self.add_output(&format!("{method} {target}"), &response.body, asked);
        let headers: String = response
            .headers
            .iter()
            .map(|(n, v)| format!("{n}: {v}\n"))
            .collect();
        self.add_output(
            &format!("headers of {method} {target}"),
            headers.as_bytes(),
            false,
        );
        response
    }

    /// Makes a `GET` request at the daemon's token socket.
    pub(crate) fn get(&self, daemon: &Daemon, target: &str) -> Response {
        self.request(&daemon.socket, "GET", target, &[], b"")
    }

    /// Returns a profile's token, requested as plain text.
    pub(crate) fn token(&self, daemon: &Daemon, profile: &str) -> String {
        let target = format!("/v1/profiles/{profile}/token");
        let response = self.request(
            &daemon.socket,
            "GET",
            &target,
            &[("Accept", "text/plain")],
            b"",
        );
        assert_eq!(response.status, 200, "{response:?}");
        response.text().trim_end().to_owned()
    }

    /// Declares a sink: its file may contain tokens.
    pub(crate) fn is_sink(&self, path: impl Into<PathBuf>) {
        self.sinks.borrow_mut().push(path.into());
    }

    /// Allows dropped log lines, which otherwise fail the test.
    pub(crate) fn expect_dropped_lines(&self) {
        self.gaps_expected.set(true);
    }

    /// Returns the outputs that report dropped log lines.
    pub(crate) fn gaps(&self) -> Vec<String> {
        let has_gap = |bytes: &[u8]| bytes.windows(GAP.len()).any(|window| window == GAP);
        let out = self.out.borrow();
        let out = out.iter().filter(|(_, bytes, _)| has_gap(bytes));
        let out = out.map(|(what, ..)| what.clone());
        let files = files_below(self.root.path()).into_iter();
        let files = files.filter(|path| fs::read(path).is_ok_and(|bytes| has_gap(&bytes)));
        out.chain(files.map(|path| path.display().to_string()))
            .collect()
    }

    /// Returns the places with a secret or token that was not requested there.
    pub(crate) fn leaks(&self) -> Vec<String> {
        let secrets = self
            .secrets
            .iter()
            .map(|secret| (Kind::Secret, Canary::new("the client secret", secret)));
        let tokens = self
            .sandboxes
            .iter()
            .flat_map(Sandbox::issued)
            // The signature makes a token valid, and no two are alike.
            .map(|token| Canary::new("a token", token.rsplit('.').next().unwrap()))
            .map(|canary| (Kind::Token, canary));
        let extra = self.extra.iter().cloned();
        let (kinds, canaries): (Vec<Kind>, Vec<Canary>) =
            secrets.chain(tokens).chain(extra).unzip();
        let canaries = Search::new(&canaries);
        let mut leaks = vec![];
        let mut search = |what: &str, bytes: &[u8], allowed: Option<Kind>| {
            for (canary, found) in canaries.find(bytes) {
                if Some(kinds[canary]) != allowed {
                    leaks.push(format!("{found} in {what}"));
                }
            }
        };
        for (what, bytes, asked) in self.out.borrow().iter() {
            search(what, bytes, asked.then_some(Kind::Token));
        }
        let store = self.path("state/jeton/credentials");
        for path in files_below(self.root.path()) {
            let secret_allowed = path.starts_with(&store) || path == self.path("secret");
            if let Ok(bytes) = fs::read(&path) {
                let token_allowed = self.sinks.borrow().contains(&path) || is_of_a_command(&path);
                let allowed = secret_allowed.then_some(Kind::Secret);
                let allowed = allowed.or_else(|| token_allowed.then_some(Kind::Token));
                search(&path.display().to_string(), &bytes, allowed);
            }
        }
        leaks
    }

    /// Stops a daemon properly, and adds what other users could see of it to the outputs that are searched.
    pub(crate) fn stop(&self, daemon: &mut Daemon) {
        let status = daemon.stop();
        let log = daemon.log();
        assert!(status.success(), "{status:?}: {log}");
        // A log without its last lines could not be searched completely.
        let is_whole = !log.contains("serving") || log.contains("stopping");
        assert!(is_whole, "the log lacks its last lines: {log}");
        for (what, bytes) in daemon.seen_in_proc.drain(..) {
            self.add_output(&what, &bytes, false);
        }
    }
}

/// Returns whether this is a file that `jeton exec --file` gives to a command.
fn is_of_a_command(path: &Path) -> bool {
    let folder = path.parent().and_then(Path::file_name);
    let is_its_folder = |name: &OsStr| name.to_string_lossy().contains(".sock.exec-");
    path.ends_with("token") && folder.is_some_and(is_its_folder)
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let leaks = self.leaks();
            assert!(leaks.is_empty(), "secrets leaked: {leaks:#?}");
            let gaps = self.gaps();
            assert!(
                gaps.is_empty() || self.gaps_expected.get(),
                "lines that could not be searched for secrets were dropped: {gaps:#?}"
            );
        }
    }
}

/// The log's message about dropped lines.
const GAP: &[u8] = b" log lines were dropped";

/// The kind of a text whose leak fails the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Secret,
    Token,
    Extra,
}

/// Returns a client secret with characters that forms and JSON must escape.
fn fresh_secret() -> String {
    let mut random = [0u8; 16];
    getrandom::fill(&mut random).unwrap();
    let hex: String = random.iter().map(|b| format!("{b:02x}")).collect();
    format!("canary\"\\&=+%~{hex}")
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return vec![];
    };
    entries
        .flatten()
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_below(&entry.path()),
            Ok(kind) if kind.is_file() => vec![entry.path()],
            _ => vec![],
        })
        .collect()
}
