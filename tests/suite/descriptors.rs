//! Descriptor limits: however many connections one user holds open, tokens stay fresh and the log stays readable.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, accepts, raise_descriptor_limit, wait_until};
use crate::support::wire::{Wire, get};

const HALF_A_REQUEST: &str = "G";
const WATCH: &str = "GET /v1/profiles/research/watch HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Connections of one user. Whenever the daemon closes one, the next is opened.
struct ConnectionFlood {
    stop: Arc<AtomicBool>,
    /// The number of connections opened so far.
    opened: Arc<AtomicUsize>,
    thread: Option<JoinHandle<Vec<u8>>>,
}

impl ConnectionFlood {
    /// Opens `size` connections at a time and sends this on each.
    fn new(socket: PathBuf, size: usize, sends: &'static str) -> Self {
        let (stop, opened) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&opened));
        let thread = std::thread::spawn(move || {
            let (mut open, mut came) = (Vec::<UnixStream>::new(), vec![]);
            while !stopped.load(Ordering::Relaxed) {
                while open.len() < size {
                    let mut stream = UnixStream::connect(&socket).unwrap();
                    stream.set_nonblocking(true).unwrap();
                    // The daemon may have refused the connection already.
                    let _ = stream.write_all(sends.as_bytes());
                    open.push(stream);
                    count.fetch_add(1, Ordering::Relaxed);
                }
                open.retain_mut(|stream| {
                    let mut bytes = [0; 4_096];
                    match stream.read(&mut bytes) {
                        Ok(0) => false,
                        Ok(n) => {
                            came.extend_from_slice(&bytes[..n]);
                            true
                        }
                        Err(e) => e.kind() == std::io::ErrorKind::WouldBlock,
                    }
                });
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            came
        });
        Self {
            stop,
            opened,
            thread: Some(thread),
        }
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    /// Closes all connections and returns everything received on them.
    fn leave(mut self) -> Vec<u8> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

/// Starts a daemon with this limit on open descriptors. Its profile is refreshed every few seconds.
fn start(env: &TestEnv, descriptors: usize) -> Daemon {
    raise_descriptor_limit();
    env.enrol("research");
    let config = fs::read_to_string(env.config()).unwrap();
    fs::write(env.config(), config + "keep-warm = true\n").unwrap();
    let mut command = env.command("prlimit");
    command
        .arg(format!("--nofile={descriptors}:{descriptors}"))
        .args([env!("CARGO_BIN_EXE_jetond"), "run"])
        .env("JETON_LOG", "info");
    env.start_command(command)
}

/// Waits for this many further refreshes, which takes some seconds.
fn refreshes(env: &TestEnv, more: usize) {
    let before = env.sandbox().issued().len();
    wait_until("more refreshes", || {
        env.sandbox().issued().len() >= before + more
    });
}

fn failures(env: &TestEnv, daemon: &Daemon) -> serde_json::Value {
    env.get(daemon, "/v1/profiles/research").json()["counts"]["failures"].clone()
}

/// Returns the log lines other than those about a refresh or a reload.
fn lines(daemon: &Daemon) -> Vec<String> {
    let expected = ["new token", "reloaded", "profile is kept", " serving"];
    let log = daemon.log();
    let lines = log.lines().map(str::to_owned);
    lines
        .filter(|line| !expected.iter().any(|text| line.contains(text)))
        .collect()
}

/// One user opens many connections to a daemon with this limit on open descriptors.
fn crowd(descriptors: usize) {
    for sends in [HALF_A_REQUEST, WATCH] {
        let env = TestEnv::with_sandbox(3);
        let mut daemon = start(&env, descriptors);
        let token = env.token(&daemon, "research");
        let crowd = ConnectionFlood::new(daemon.socket.clone(), 400, sends);
        wait_until("the crowd to connect", || crowd.opened() >= 400);
        refreshes(&env, 2);
        for _ in 0..5 {
            let reload = env.jeton(&["reload"]);
            assert_eq!(reload.code, 0, "{descriptors} {sends}: {reload:?}");
        }
        // The daemon closes one of them to make room, whether it is half-open or a watch. It may also close a client
        // that is delayed between its connect and its request, as the oldest connection without a request. Such a
        // client connects again.
        wait_until("the next token, despite the crowd", || {
            let got = env.jeton(&["token", "research"]);
            got.code == 0 && got.stdout.trim() != token
        });
        refreshes(&env, 1);
        let came = crowd.leave();
        env.add_output("a crowd", &came, sends == WATCH);
        wait_until("the daemon to have a free connection", || {
            env.get(&daemon, "/healthz").status == 200
        });
        assert_eq!(failures(&env, &daemon), 0, "{descriptors} {sends}");
        // No connection is refused, so there is nothing to log.
        let log = lines(&daemon);
        assert!(log.is_empty(), "{log:#?}");
        env.stop(&mut daemon);
    }
}

#[test]
fn many_connections_of_one_user_starve_no_refresh_and_flood_no_log() {
    crowd(256);
}

#[test]
fn many_connections_starve_no_refresh_with_few_descriptors() {
    crowd(64);
}

#[test]
fn a_failing_accept_writes_two_log_lines_and_loses_no_connection() {
    let env = TestEnv::with_sandbox(3_600);
    let mut daemon = start(&env, 256);
    env.token(&daemon, "research");
    let mut kept = Wire::new(&env, &daemon.socket);
    kept.send(get("/healthz")).unwrap();
    assert_eq!(kept.answer().status, 200);
    let limit = |soft: u64| {
        let pid = daemon.child.id().to_string();
        let mut command = env.command("prlimit");
        command.args(["--pid", &pid, &format!("--nofile={soft}:")]);
        let set = env.finish("prlimit", command, b"", false);
        assert_eq!(set.code, 0, "{set:?}");
    };
    limit(4);
    let mut waits = Wire::new(&env, &daemon.socket);
    waits.send(get("/readyz")).unwrap();
    daemon.wait_for_log("cannot accept connections");
    for _ in 0..20 {
        kept.send(get("/healthz")).unwrap();
        assert_eq!(kept.answer().status, 200, "open connections are served");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    limit(256);
    assert_eq!(
        waits.answer().status,
        200,
        "waiting connections are served afterwards"
    );
    assert!(accepts(&daemon.socket));
    daemon.wait_for_log("accepting connections again");
    let lines = lines(&daemon);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].contains("Too many open files"), "{lines:#?}");
    assert!(lines[1].contains("times="), "{lines:#?}");
    env.stop(&mut daemon);
}

#[test]
fn with_few_descriptors_eight_connections_of_a_user_are_served() {
    for descriptors in [64, 80, 128] {
        let env = TestEnv::with_sandbox(5);
        let mut daemon = start(&env, descriptors);
        let target = get("/v1/profiles/research/token?max_wait=30");
        let mut open: Vec<_> = (0..8)
            .map(|_| Wire::new(&env, &daemon.socket).asks_for_token())
            .collect();
        for round in 0..3 {
            for connection in &mut open {
                connection.send(&target).unwrap();
            }
            for connection in &mut open {
                let status = connection.answer().status;
                assert_eq!(status, 200, "{descriptors} in round {round}");
            }
            let reload = env.jeton(&["reload"]);
            assert_eq!(reload.code, 0, "{descriptors}: {reload:?}");
            refreshes(&env, 1);
        }
        assert_eq!(failures(&env, &daemon), 0, "{descriptors}");
        let log = lines(&daemon);
        assert!(log.is_empty(), "{log:#?}");
        drop(open);
        env.stop(&mut daemon);
    }
}

/// Returns the number of system timers that the daemon has open.
fn timers(daemon: &Daemon) -> usize {
    let listing = fs::read_dir(format!("/proc/{}/fd", daemon.child.id())).unwrap();
    // A descriptor may be closed in the meantime.
    let links = listing.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links
        .filter(|link| link.to_string_lossy().contains("timerfd"))
        .count()
}

#[test]
fn thousands_of_profiles_cost_no_descriptors() {
    const PROFILES: usize = 2_001;
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let (one, record) = (env.config(), env.record("research"));
    let text = fs::read_to_string(&one).unwrap();
    let name = |n: usize| format!("research-{n}");
    let more = (1..PROFILES).map(|n| text.replace("research", &name(n)));
    let all: String = std::iter::once(text.clone()).chain(more).collect();
    for n in 1..PROFILES {
        fs::copy(&record, env.record(&name(n))).unwrap();
    }
    fs::write(&one, all).unwrap();
    for limit in [1_024, 256, 64] {
        let mut command = env.command("prlimit");
        command
            .arg(format!("--nofile={limit}:{limit}"))
            .args([env!("CARGO_BIN_EXE_jetond"), "run"]);
        let mut daemon = env.start_command(command);
        let wanted = [name(1), name(PROFILES / 2), name(PROFILES - 1)];
        for profile in &wanted {
            wait_until("a token", || {
                let target = format!("/v1/profiles/{profile}/token?max_wait=5");
                env.get(&daemon, &target).status == 200
            });
        }
        // The smallest limit allows this many callers at once.
        let mut kept: Vec<_> = (0..8)
            .map(|_| Wire::new(&env, &daemon.socket).asks_for_token())
            .collect();
        for (wire, profile) in kept.iter_mut().zip(wanted.iter().cycle()) {
            wire.send(get(&format!("/v1/profiles/{profile}/token")))
                .unwrap();
        }
        for wire in &mut kept {
            assert_eq!(wire.answer().status, 200, "{limit}");
        }
        assert!(timers(&daemon) <= 2, "{limit}: {} timers", timers(&daemon));
        let reload = env.jeton(&["reload"]);
        assert_eq!(reload.code, 0, "{limit}: {reload:?}");
        env.stop(&mut daemon);
    }
}
