//! The daemon under load, compared with a bare hyper server that answers with as many bytes from memory.
//!
//! Both are separate programs with one thread each. One client loads them in turns over eight kept connections, so that
//! other load of the machine affects both. The daemon's tokens have a lifetime of a few seconds, so it refreshes all
//! the time. A failed request fails the run; the figures are goals and are only printed.
//!
//! `JETON_BENCH_SECONDS` sets the duration of each of the two loads (default 6).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a program for developers: it stops at the first surprise, and it is a stopwatch"
)]

use std::convert::Infallible;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jetond::credential::ClientSecret;
use jetond::daemon::serve::pace::Pace;
use jetond::daemon::serve::stream::Timed;
use jetond::sandbox::{Line, Options, Sandbox};

const CONNECTIONS: usize = 8;
const SLICES: u32 = 60;
const PER_SECOND: u32 = 5_000;
const TOKEN_LIFE: Duration = Duration::from_secs(4);
const REQUEST: &[u8] = b"GET /v1/profiles/bench/token HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("bare") {
        let socket = arguments.next().unwrap();
        bare(
            Path::new(&socket),
            arguments.next().unwrap().parse().unwrap(),
        );
    }
    let seconds = std::env::var("JETON_BENCH_SECONDS").map_or(6, |s| s.parse().unwrap());
    let load = Duration::from_secs(seconds);

    let place = Place::new();
    let daemon = place.daemon();
    let idle = daemon.memory();
    let bare = place.bare(daemon.ask_once());

    println!("closed loop, {CONNECTIONS} connections");
    let mut clients = [Client::new(&daemon.socket), Client::new(&bare.socket)];
    let servers = [&daemon, &bare];
    let (mut speeds, mut costs) = ([vec![], vec![]], [vec![], vec![]]);
    for _ in 0..SLICES {
        for (n, (client, server)) in clients.iter_mut().zip(servers).enumerate() {
            let (start, cpu) = (Instant::now(), server.cpu_time());
            let answers = f64::from(client.as_fast_as_possible(load / SLICES / 2));
            speeds[n].push(answers / start.elapsed().as_secs_f64());
            costs[n].push((server.cpu_time() - cpu).as_secs_f64() * 1e6 / answers);
        }
    }
    let ratios = [&speeds, &costs].map(|[daemon, bare]| {
        // The ratio is of two consecutive slices, since the machine may be twice as fast a second later.
        median(daemon.iter().zip(bare).map(|(d, b)| d / b).collect())
    });
    let (speeds, costs) = (speeds.map(median), costs.map(median));
    println!("             requests/s   CPU µs/request");
    println!("  daemon     {:>10.0}   {:>14.1}", speeds[0], costs[0]);
    println!("  bare hyper {:>10.0}   {:>14.1}", speeds[1], costs[1]);
    println!("  ratio      {:>10.2}   {:>14.2}", ratios[0], ratios[1]);

    println!("open loop, {PER_SECOND} requests/s, counted from the moment at which each was due");
    println!("                p50 µs     p99 µs   p99.9 µs     max µs");
    let mut times = [vec![], vec![]];
    for _ in 0..SLICES {
        for (client, times) in clients.iter_mut().zip(&mut times) {
            client.at_a_rate(load / SLICES / 2, times);
        }
    }
    for (name, times) in ["daemon", "bare hyper"].iter().zip(&mut times) {
        times.sort();
        let at = |per_mille: usize| times[(times.len() - 1) * per_mille / 1000].as_secs_f64() * 1e6;
        println!(
            "  {name:<10} {:>10.0} {:>10.0} {:>10.0} {:>10.0}",
            at(500),
            at(990),
            at(999),
            at(1000)
        );
    }

    println!("memory, KiB   anonymous   resident   highest");
    for (name, memory) in [
        ("daemon, idle", idle),
        ("daemon, after", daemon.memory()),
        ("bare, after", bare.memory()),
    ] {
        println!(
            "  {name:<13} {:>8}   {:>8}  {:>8}",
            memory[0], memory[1], memory[2]
        );
    }
    let sent = clients.iter().map(|client| client.sent).sum::<u64>();
    let failed = clients.iter().map(|client| client.failed).sum::<u64>();
    let refreshes = place.sandbox.stats().granted;
    println!("{sent} requests, {failed} failed; {refreshes} tokens were granted meanwhile");
    if failed == 0 && refreshes > 1 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Returns the median: a slice with other load on the machine counts no more than any other.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

// === The servers ===

/// A folder, and a sandbox with its own thread.
struct Place {
    folder: tempfile::TempDir,
    sandbox: Sandbox,
    _runtime: tokio::runtime::Runtime,
}

/// A server that runs as a program, and ends when this value is dropped.
struct Server {
    child: Child,
    socket: PathBuf,
}

impl Place {
    fn new() -> Self {
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
    fn daemon(&self) -> Server {
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
        let server = Server { child, socket };
        server.wait();
        server.ask_once();
        server
    }

    /// Starts the bare server, whose replies have bodies of this length.
    fn bare(&self, length: usize) -> Server {
        let socket = self.folder.path().join("bare.sock");
        let child = Command::new(std::env::current_exe().unwrap())
            .arg("bare")
            .arg(&socket)
            .arg(length.to_string())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server { child, socket };
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

    /// Makes one request; returns the length of the reply's body.
    fn ask_once(&self) -> usize {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.write_all(REQUEST).unwrap();
        let mut answer = vec![];
        let mut buffer = [0; 4096];
        loop {
            let n = stream.read(&mut buffer).unwrap();
            assert!(n > 0, "the server closed");
            answer.extend(&buffer[..n]);
            if let Some((head, body)) = extent(&answer).expect("a good answer") {
                assert_eq!(answer.len(), head + body);
                return body;
            }
        }
    }

    /// Returns RssAnon, VmRSS and VmHWM of proc(5), in KiB, once the server is idle.
    fn memory(&self) -> [u64; 3] {
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
    fn cpu_time(&self) -> Duration {
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

/// Runs the bare server: the same runtime, allocator, timers and HTTP settings as the daemon, and the same head of a
/// reply.
fn bare(socket: &Path, length: usize) -> ! {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let body = Bytes::from(vec![b'x'; length]);
    runtime.block_on(async {
        let listener = tokio::net::UnixListener::bind(socket).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let body = body.clone();
            let pace = Pace::default();
            let stream = TokioIo::new(Timed::new(stream, pace.clone()));
            let answer = service_fn(move |_| {
                let _busy = pace.busy();
                let mut response = Response::new(Full::new(body.clone()));
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                async move { Ok::<_, Infallible>(response) }
            });
            tokio::spawn(
                http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(None)
                    .max_buf_size(16 * 1024)
                    .half_close(true)
                    .serve_connection(stream, answer),
            );
        }
    })
}

// === The load ===

/// Eight kept connections, each with at most one pending request. The client never sleeps: waking it would be work for
/// the server, and it would wake late.
struct Client {
    connections: Vec<Connection>,
    socket: PathBuf,
    sent: u64,
    failed: u64,
}

struct Connection {
    stream: UnixStream,
    answer: Vec<u8>,
    /// When the pending request was due.
    due: Option<Instant>,
}

impl Client {
    fn new(socket: &Path) -> Self {
        Self {
            connections: (0..CONNECTIONS).map(|_| Connection::open(socket)).collect(),
            socket: socket.to_owned(),
            sent: 0,
            failed: 0,
        }
    }

    /// Keeps every connection busy for this long; returns the number of replies.
    fn as_fast_as_possible(&mut self, time: Duration) -> u32 {
        let start = Instant::now();
        let (mut sending, mut answers) = (true, 0);
        for n in 0..CONNECTIONS {
            self.send(n, start);
        }
        while self.connections.iter().any(|c| c.due.is_some()) {
            for n in 0..CONNECTIONS {
                if self.has_come(n).is_some() {
                    answers += 1;
                    if sending {
                        self.send(n, start);
                    }
                }
            }
            sending = sending && start.elapsed() < time;
        }
        answers
    }

    /// Sends requests at an even rate, whatever comes back, and adds the time from each request's due time to its
    /// reply.
    fn at_a_rate(&mut self, time: Duration, times: &mut Vec<Duration>) {
        let start = Instant::now();
        let requests = PER_SECOND * u32::try_from(time.as_millis()).unwrap() / 1000;
        let (mut sent, mut answered) = (0, 0);
        while answered < requests {
            let due = start + Duration::from_secs(1) * sent / PER_SECOND;
            if sent < requests && Instant::now() >= due {
                let free = self.connections.iter().position(|c| c.due.is_none());
                if let Some(n) = free {
                    self.send(n, due);
                    sent += 1;
                }
            }
            for n in 0..CONNECTIONS {
                if let Some(due) = self.has_come(n) {
                    times.push(due.elapsed());
                    answered += 1;
                }
            }
        }
    }

    fn send(&mut self, n: usize, due: Instant) {
        let connection = &mut self.connections[n];
        self.sent += 1;
        connection.due = Some(due);
        connection.answer.clear();
        // A closed connection is detected when its reply is read.
        let _ = connection.stream.write_all(REQUEST);
    }

    /// Returns when the request that has just ended, successfully or not, was due.
    fn has_come(&mut self, n: usize) -> Option<Instant> {
        let connection = &mut self.connections[n];
        connection.due?;
        let mut buffer = [0; 8192];
        let extent = match connection.stream.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(_) | Ok(0) => None,
            Ok(n) => {
                connection.answer.extend_from_slice(&buffer[..n]);
                extent(&connection.answer)
            }
        };
        match extent {
            Some(None) => return None,
            Some(Some((head, body))) if connection.answer.len() < head + body => return None,
            Some(Some((head, body))) if connection.answer.len() == head + body => {}
            _ => {
                let shown = String::from_utf8_lossy(&connection.answer);
                println!("FAILED: {:?}", shown.lines().next());
                self.failed += 1;
                connection.stream = Connection::open(&self.socket).stream;
            }
        }
        connection.due.take()
    }
}

impl Connection {
    fn open(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self {
            stream,
            answer: Vec::with_capacity(8192),
            due: None,
        }
    }
}

/// Returns the lengths of a reply's head and body: `None` unless it is a 200 with a length, `Some(None)` while its head
/// is incomplete.
fn extent(answer: &[u8]) -> Option<Option<(usize, usize)>> {
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\n";
    const LENGTH: &[u8] = b"\r\ncontent-length: ";
    let known = answer.len().min(OK.len());
    if answer[..known] != OK[..known] {
        return None;
    }
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Some(None);
    };
    let at = answer[..end]
        .windows(LENGTH.len())
        .position(|window| window.eq_ignore_ascii_case(LENGTH))?;
    let digits = answer[at + LENGTH.len()..end]
        .split(|byte| *byte == b'\r')
        .next()?;
    let length = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Some((end + 4, length)))
}
