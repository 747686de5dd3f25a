//! The servers, each a program of its own, in a hermetic place.

use std::ffi::OsString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jetond::credential::ClientSecret;
use jetond::sandbox::{Line, Options, Sandbox};

use super::load::{REQUEST, extent};

const TOKEN_LIFE: Duration = Duration::from_secs(4);

/// A folder, and a sandbox with its own thread.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    pub(crate) sandbox: Sandbox,
    _runtime: tokio::runtime::Runtime,
}

/// A server that runs as a program, and ends when this value is dropped.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    child: Child,
    pub(crate) socket: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("jt").tempdir().unwrap();
        for name in ["run", "state", "config"] {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        }
        let secret = folder.path().join("secret");
        fs::write(&secret, "not-a-secret").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let options = Options {
            token_life: TOKEN_LIFE,
            ..Options::new(
                Line::V2_24,
                "bench",
                ClientSecret::parse("not-a-secret").unwrap(),
            )
        };
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        Self {
            folder,
            sandbox,
            _runtime: runtime,
        }
    }

    fn jetond(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jetond"));
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .env("XDG_RUNTIME_DIR", self.folder.path().join("run"))
            .env("XDG_STATE_HOME", self.folder.path().join("state"))
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"))
            .env("JETON_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.folder.path().join("log")).unwrap());
        command
    }

    /// Starts the daemon, with a token.
    pub(crate) fn daemon(&self) -> Server {
        let url = self.sandbox.url();
        let added = self
            .jetond()
            .args([
                "add",
                "bench",
                "--provider",
                "runai",
                "--client-id",
                "bench",
            ])
            .args(["--url", &url, "--client-secret-file"])
            .arg(self.folder.path().join("secret"))
            .status()
            .unwrap();
        assert!(added.success(), "jetond add failed: {}", self.log());
        let child = self.jetond().arg("run").spawn().unwrap();
        let socket = self.folder.path().join("run/jeton/jeton.sock");
        let server = Server {
            name: "daemon",
            child,
            socket,
        };
        server.wait();
        server.ask_once(REQUEST);
        server
    }

    /// Starts the bare hyper server, whose replies have bodies of this length.
    pub(crate) fn bare(&self, length: usize) -> Server {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.arg("bare");
        self.server("bare hyper", program, &[length.to_string().into()])
    }

    /// Compiles and starts a responder in C that sends these recorded replies. `None` without a C compiler.
    pub(crate) fn responder(&self, name: &'static str, replies: &[&[u8]]) -> Option<Server> {
        let program = self.folder.path().join(name);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("benches/serve/{name}.c"));
        let compiled = Command::new("cc")
            .args(["-O2", "-o"])
            .arg(&program)
            .arg(source)
            .status();
        if !compiled.is_ok_and(|status| status.success()) {
            println!("not measured: cc is not there, or cannot compile {name}.c");
            return None;
        }
        let files: Vec<_> = (0..replies.len())
            .map(|n| self.folder.path().join(format!("{name}.{n}")))
            .collect();
        for (file, reply) in files.iter().zip(replies) {
            fs::write(file, reply).unwrap();
        }
        let files: Vec<_> = files.into_iter().map(PathBuf::into_os_string).collect();
        Some(self.server(name, Command::new(program), &files))
    }

    /// Starts a server that takes its socket as an argument, followed by these.
    fn server(&self, name: &'static str, mut program: Command, arguments: &[OsString]) -> Server {
        let socket = self.folder.path().join(format!("{name}.sock"));
        let child = program.arg(&socket).args(arguments).stdin(Stdio::null());
        let server = Server {
            name,
            child: child.spawn().unwrap(),
            socket,
        };
        server.wait();
        server
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Server {
    fn wait(&self) {
        let start = Instant::now();
        while UnixStream::connect(&self.socket).is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "no server");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Makes one request; returns the reply, and where its body begins.
    pub(crate) fn ask_once(&self, request: &[u8]) -> (Vec<u8>, usize) {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = vec![];
        let mut buffer = [0; 4096];
        loop {
            let n = stream.read(&mut buffer).unwrap();
            assert!(n > 0, "the server closed");
            answer.extend(&buffer[..n]);
            if let Some((head, body)) = extent(&answer).expect("a good answer") {
                assert_eq!(answer.len(), head + body);
                return (answer, head);
            }
        }
    }

    /// Returns RssAnon, VmRSS and VmHWM of proc(5), in KiB, once the server is idle.
    pub(crate) fn memory(&self) -> [u64; 3] {
        std::thread::sleep(Duration::from_millis(300));
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("a system with /proc");
        ["RssAnon:", "VmRSS:", "VmHWM:"].map(|name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap()
                .trim()
                .trim_end_matches(" kB")
                .parse()
                .unwrap()
        })
    }

    /// Returns the processor time of its main thread, which serves the requests.
    pub(crate) fn cpu_time(&self) -> Duration {
        let path = format!("/proc/{}/schedstat", self.child.id());
        let text = fs::read_to_string(path).expect("a system with /proc");
        Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
