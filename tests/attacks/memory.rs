//! Memory exhaustion by users that send requests they never finish and get answers they never read: the daemon's memory
//! stays below a bound, and its owner is served all the time.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jetond::sandbox::{Fault, Line};
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, raise_descriptor_limit, wait_until};
use crate::support::http;
use crate::support::users::{User, is_root_or_skip};

/// The daemon's limit on open descriptors. It allows somewhat more connections than the attackers open.
const DESCRIPTORS: u64 = 1_400;

/// Two users that the rules allow, with the number of connections of each: nearly the maximum for one user, and nearly
/// the rest.
const ATTACKERS: [(u32, usize); 2] = [(60_001, 780), (60_002, 220)];

/// The limit on the growth of resident memory, in KiB: up to 12 MiB from its idle size, 12 KiB for each connection, and
/// 8 MiB.
const BOUND: u64 = 1_536 + 1_000 * 12 + 8 * 1_024;

/// How much more memory a repetition of the same attack may need, in KiB.
const AGAIN: u64 = 4 * 1024;

/// How long the attackers keep their connections.
const HELD: Duration = Duration::from_millis(1_000);

struct Attack {
    name: &'static str,
    /// What is sent on each connection, in this order.
    turns: Vec<Vec<u8>>,
    /// Whether the last item is sent repeatedly until the daemon takes no more.
    floods: bool,
}

fn attack(name: &'static str, turns: &[&[u8]]) -> Attack {
    Attack {
        name,
        turns: turns.iter().map(|turn| turn.to_vec()).collect(),
        floods: false,
    }
}

fn flood(name: &'static str, request: &str) -> Attack {
    Attack {
        name,
        turns: vec![request.as_bytes().repeat(100)],
        floods: true,
    }
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn post(target: &str, headers: &str, length: usize) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n"
    )
}

/// Returns the attacks, named after what the daemon has to hold.
fn attacks() -> Vec<Attack> {
    let field = "a".repeat(262_100);
    let long = format!("X: {}\r\n", "a".repeat(7_900));
    let basic = format!("Authorization: Basic {}\r\n", "a".repeat(7_000));
    let waits = get("/v1/profiles/stuck/token?max_wait=3");
    let junk = "a".repeat(12_000);
    let body = |length| post("/v1/helper", "", length);
    vec![
        attack("idle connections", &[get("/healthz").as_bytes()]),
        attack(
            "bodies of 256 KiB",
            &[body(262_144).as_bytes(), field.as_bytes()],
        ),
        attack("bodies that only begin", &[body(262_144).as_bytes(), b"a"]),
        attack(
            "small bodies",
            &[body(1_000).as_bytes(), &[b'a'; 500], &[b'a'; 499]],
        ),
        attack(
            "small bodies after long heads",
            &[
                post("/oauth2/token", &basic, 1_000).as_bytes(),
                &[b'a'; 999],
            ],
        ),
        attack(
            "heads that come byte by byte",
            &[b"G", b"E", b"T", b" ", b"/", b"a", b"b"],
        ),
        attack(
            "long heads without an end",
            &[
                b"GET /healthz HTTP/1.1\r\n",
                long.as_bytes(),
                &long.as_bytes()[..7_000],
            ],
        ),
        attack("requests that wait", &[waits.as_bytes()]),
        attack(
            "requests that wait, with others behind them",
            &[waits.as_bytes(), junk.as_bytes()],
        ),
        attack("watches", &[get("/v1/profiles/big/watch").as_bytes()]),
        flood("tokens", &get("/v1/profiles/big/token")),
        flood("lists", &get("/v1/profiles")),
        flood("documents", &get("/v1/openapi.json")),
        flood(
            "answers without a body",
            "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ),
        flood("line ends", "\r\n"),
    ]
}

/// Starts a daemon that serves these users, with one profile that gets no token.
fn started() -> (TestEnv, Daemon) {
    let mut env = TestEnv::with_sandbox(3_600);
    env.enrol("big");
    let stuck = env.add_sandbox(Line::V2_24, 3_600);
    env.enrol_at("stuck", &env.sandboxes()[stuck].url());
    env.fault_at(stuck, "hang");
    // The longest token that a daemon accepts. In JSON it is twice as long.
    let token = "\\\"".repeat(65_536);
    let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#);
    let answer = Fault::Answer { status: 200, body };
    env.block_on(env.sandbox().set_fault(Some(answer))).unwrap();
    fs::set_permissions(env.path(""), PermissionsExt::from_mode(0o711)).unwrap();
    let mut config = fs::read_to_string(env.config()).unwrap();
    config.push_str("\n[socket]\nmode = \"all\"\n");
    for profile in ["big", "stuck"] {
        for (uid, _) in ATTACKERS {
            config.push_str(&format!("\n[[profiles.{profile}.allow]]\nuid = {uid}\n"));
        }
    }
    fs::write(env.config(), config).unwrap();
    let socket = env.path("shared/jeton.sock");
    let mut command = env.command("sh");
    command.args([
        "-c",
        &format!("ulimit -n {DESCRIPTORS}; exec \"$0\" run --socket \"$1\""),
        env!("CARGO_BIN_EXE_jetond"),
        socket.to_str().unwrap(),
    ]);
    // At TRACE, the log of some ten thousand connections would be most of the memory.
    command.env("JETON_LOG", "info");
    let mut daemon = env.spawn_command(command);
    daemon.socket.clone_from(&socket);
    daemon.admin = env.path("shared-admin/admin.sock");
    wait_until("the daemon to hold a token", || {
        socket.exists() && fetch(&socket) == Some(200)
    });
    (env, daemon)
}

/// Makes the owner's request for a token and reads the whole answer. Returns its status.
fn fetch(socket: &Path) -> Option<u16> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .ok()?;
    stream
        .write_all(get("/v1/profiles/big/token").as_bytes())
        .ok()?;
    Some(http::read_response(&mut stream).ok()?.status)
}

/// Returns a line of the process's status, in KiB.
fn status(daemon: &Daemon, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Waits until all connections of the attackers have ended.
fn wait_for_quiet(daemon: &Daemon) {
    wait_until("the attackers' connections to end", || {
        let open = fs::read_dir(format!("/proc/{}/fd", daemon.child.id())).unwrap();
        open.count() < 100
    });
}

/// Resets the process's peak of resident memory.
fn reset_highest(daemon: &Daemon) {
    fs::write(format!("/proc/{}/clear_refs", daemon.child.id()), "5").unwrap();
}

/// Runs an attack as one user.
fn run_attack(user: User, socket: &Path, connections: usize, attack: &Attack) {
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    set_thread_groups(&[]).unwrap();
    set_thread_res_gid(gid, gid, gid).unwrap();
    set_thread_res_uid(uid, uid, uid).unwrap();
    let mut held: Vec<UnixStream> = vec![];
    while held.len() < connections {
        // The backlog may be full for a moment.
        let stream = http::connect(socket);
        stream.set_nonblocking(true).unwrap();
        held.push(stream);
    }
    let (last, first) = attack.turns.split_last().unwrap();
    for turn in first {
        // Data that the daemon refuses or does not read is dropped.
        held.iter().for_each(|mut stream| drop(stream.write(turn)));
        // Gives the daemon time to read what it will. There is no event to wait for on all of these connections.
        std::thread::sleep(Duration::from_millis(200));
    }
    let start = Instant::now();
    loop {
        held.iter().for_each(|mut stream| drop(stream.write(last)));
        if !attack.floods || start.elapsed() > HELD {
            break;
        }
    }
    // Keeps the connections for this long.
    std::thread::sleep(HELD.saturating_sub(start.elapsed()));
    for stream in &mut held {
        // Reads the beginning of the answers, so that a refused attack is noticed.
        drop(stream.read(&mut [0; 64]));
    }
}

/// Runs an attack. Returns the daemon's peak of resident memory in KiB, the number of the owner's requests, and how
/// many failed.
fn under(daemon: &Daemon, attack: &Attack) -> (u64, usize, usize) {
    reset_highest(daemon);
    let over = AtomicBool::new(false);
    let (asked, failed) = std::thread::scope(|scope| {
        let honest = scope.spawn(|| {
            let (mut asked, mut failed) = (0, 0);
            while !over.load(Ordering::Relaxed) {
                asked += 1;
                failed += usize::from(fetch(&daemon.socket) != Some(200));
                // The owner makes 200 requests per second, so it does not take the processor from the attackers.
                std::thread::sleep(Duration::from_millis(5));
            }
            (asked, failed)
        });
        let attackers = ATTACKERS.map(|(uid, connections)| {
            let socket = daemon.socket.clone();
            let user = User {
                uid,
                gid: uid,
                groups: &[],
            };
            scope.spawn(move || run_attack(user, &socket, connections, attack))
        });
        attackers.into_iter().for_each(|one| one.join().unwrap());
        over.store(true, Ordering::Relaxed);
        honest.join().unwrap()
    });
    let highest = status(daemon, "VmHWM:");
    wait_for_quiet(daemon);
    (highest, asked, failed)
}

#[test]
fn memory_is_bounded_and_the_owner_is_served_under_attack() {
    if !is_root_or_skip("memory_is_bounded_and_the_owner_is_served_under_attack") {
        return;
    }
    raise_descriptor_limit();
    let (env, mut daemon) = started();
    let bound = status(&daemon, "VmRSS:") + BOUND;
    let only = std::env::var("JETON_ATTACK").unwrap_or_default();
    let mut faults = vec![];
    for attack in attacks() {
        if !attack.name.contains(&only) {
            continue;
        }
        let [(first, ..), (again, asked, failed)] = [(), ()].map(|()| {
            let found = under(&daemon, &attack);
            assert!(
                daemon.child.try_wait().unwrap().is_none(),
                "{}",
                attack.name
            );
            found
        });
        let line = format!(
            "{}: {first} KiB, again {again} KiB, then {} KiB; {failed} of {asked} requests failed",
            attack.name,
            status(&daemon, "VmRSS:")
        );
        println!("{line}");
        if first.max(again) > bound || again > first + AGAIN || failed > 0 {
            faults.push(line);
        }
    }
    assert!(
        faults.is_empty(),
        "above {bound} KiB or failed: {faults:#?}"
    );
    env.stop(&mut daemon);
}
