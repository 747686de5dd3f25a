//! Exhaustion of the connection slots by other users: strangers, users with access rules, and watchers that hang up.
//! The users are real, as the kernel reports them.

mod crowd;
mod floods;
mod hangups;
mod waiting;

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use jetond::sandbox::Line;

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, accepts, raise_descriptor_limit, wait_until};
use crate::support::http;
use crate::support::users::{User, install, is_root_or_skip};
use crate::support::wire::{Wire, get};

use crowd::ConnectionFlood;

const ALICE: User = user(60_101);
const BOB: User = user(60_102);
const CAROL: User = user(60_103);
/// Users that no rule allows.
const MALLORY: User = user(60_104);
const TRUDY: User = user(60_105);

const TOKEN: &str = "/v1/profiles/research/token";

const fn user(uid: u32) -> User {
    User {
        uid,
        gid: uid,
        groups: &[],
    }
}

/// A request that waits for a minute.
const WAIT: &str = "GET /v1/profiles/slow/token?max_wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A test environment whose profiles these users may use. All users can reach its socket, and the issuer of `slow`
/// never answers.
fn set_up(allowed: &[User]) -> TestEnv {
    raise_descriptor_limit();
    let mut env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let slow = env.add_sandbox(Line::V2_24, 3_600);
    let url = env.sandboxes()[slow].url();
    env.enrol_at("slow", &url);
    env.fault_at(slow, "hang");
    fs::set_permissions(env.path(""), PermissionsExt::from_mode(0o711)).unwrap();
    let profiles = fs::read_to_string(env.config()).unwrap();
    let rules = allowed
        .iter()
        .flat_map(|user| ["research", "slow"].map(|profile| (user.uid, profile)))
        .map(|(uid, profile)| format!("[[profiles.{profile}.allow]]\nuid = {uid}\n"));
    let rules: String = rules.collect();
    fs::write(
        env.config(),
        format!("[socket]\nmode = 'all'\n\n{profiles}\n{rules}"),
    )
    .unwrap();
    env
}

/// Starts a daemon with this limit on open descriptors, at a socket that all users can reach.
fn start(env: &TestEnv, descriptors: usize) -> Daemon {
    let socket = env.path("shared/jeton.sock");
    let mut command = env.command("prlimit");
    command
        .arg(format!("--nofile={descriptors}:{descriptors}"))
        .args([env!("CARGO_BIN_EXE_jetond"), "run", "--socket"])
        .arg(&socket);
    let mut daemon = env.spawn_command(command);
    daemon.socket = socket;
    daemon.admin = env.path("shared-admin/admin.sock");
    wait_until("the daemon to serve", || {
        accepts(&daemon.socket) && accepts(&daemon.admin)
    });
    daemon.record_proc();
    // Once the first token is there, later requests are answered at once.
    wait_until("a token", || env.get(&daemon, TOKEN).status == 200);
    daemon
}

/// Returns the number of the daemon's open descriptors.
fn descriptors(daemon: &Daemon) -> usize {
    let listing = fs::read_dir(format!("/proc/{}/fd", daemon.child.id()));
    listing.unwrap().count()
}

/// Requests the token as this user on a new connection, and returns the status.
fn status(env: &TestEnv, daemon: &Daemon, user: User) -> u16 {
    user.ask(env, &daemon.socket, "GET", TOKEN).0.status
}

/// Asserts that honest clients are served. The owner and an allowed user request tokens, each on a kept connection and
/// on new ones, and root reloads.
fn honest_clients_are_served(env: &TestEnv, daemon: &Daemon, honest: User, times: usize) {
    let mut kept = [connected(daemon, None), connected(daemon, Some(honest))];
    for i in 0..times {
        for (who, stream) in ["the owner", "a user"].iter().zip(&mut kept) {
            stream.write_all(get(TOKEN).as_bytes()).unwrap();
            let answer = http::read_response(stream).unwrap();
            env.add_output("an answer", &answer.body, true);
            assert_eq!(answer.status, 200, "{who}, kept connection, {i}");
        }
        assert_eq!(
            env.get(daemon, TOKEN).status,
            200,
            "the owner, new connection, {i}"
        );
        assert_eq!(
            status(env, daemon, honest),
            200,
            "a user, new connection, {i}"
        );
        if i % 10 == 0 {
            let socket = daemon.socket.to_str().unwrap();
            let reload = env.jeton(&["--socket", socket, "reload"]);
            assert_eq!(reload.code, 0, "{i}: {reload:?}");
        }
    }
}

fn connected(daemon: &Daemon, user: Option<User>) -> UnixStream {
    match user {
        Some(user) => user.connect(&daemon.socket),
        None => http::connect(&daemon.socket),
    }
}

#[test]
fn half_open_connections_of_strangers_take_no_slot() {
    if !is_root_or_skip("half_open_connections_of_strangers_take_no_slot") {
        return;
    }
    let env = set_up(&[ALICE]);
    let mut daemon = start(&env, 256);
    let crowds = [MALLORY, TRUDY].map(|user| ConnectionFlood::new(&daemon, user, 400, "G"));
    for crowd in &crowds {
        wait_until("the crowd to connect", || crowd.opened() >= 400);
    }
    honest_clients_are_served(&env, &daemon, ALICE, 30);
    assert!(descriptors(&daemon) <= 256);
    for crowd in crowds {
        assert!(crowd.leave().starts_with(b"HTTP/1.1 403 "));
    }
    env.stop(&mut daemon);
}

#[test]
fn idle_connections_make_room_for_other_users() {
    if !is_root_or_skip("idle_connections_make_room_for_other_users") {
        return;
    }
    let env = set_up(&[ALICE, BOB, CAROL]);
    let mut daemon = start(&env, 256);
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let crowds = [BOB, CAROL].map(|user| ConnectionFlood::new(&daemon, user, 200, request));
    for crowd in &crowds {
        wait_until("the crowd to connect", || crowd.opened() >= 200);
    }
    honest_clients_are_served(&env, &daemon, ALICE, 30);
    for crowd in crowds {
        assert!(crowd.leave().starts_with(b"HTTP/1.1 200 "));
    }
    env.stop(&mut daemon);
}

#[test]
fn pipelining_does_not_fail_other_users_requests() {
    if !is_root_or_skip("pipelining_does_not_fail_other_users_requests") {
        return;
    }
    let env = set_up(&[ALICE, BOB]);
    let mut daemon = start(&env, 1_024);
    let crowd = ConnectionFlood::pipelining(&daemon, BOB, 64);
    wait_until("the crowd to connect", || crowd.opened() >= 64);
    honest_clients_are_served(&env, &daemon, ALICE, 30);
    assert!(crowd.leave().starts_with(b"HTTP/1.1 200 "));
    env.stop(&mut daemon);
}

#[test]
fn a_stranger_gets_403_at_accept() {
    if !is_root_or_skip("a_stranger_gets_403_at_accept") {
        return;
    }
    let env = set_up(&[ALICE]);
    let mut daemon = start(&env, 256);
    let mut silent = MALLORY.connect(&daemon.socket);
    let answer = http::read_response(&mut silent).unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"));
    assert_eq!(silent.read(&mut [0]).unwrap(), 0, "the connection ends");

    let head = "POST /v1/helper HTTP/1.0\r\nContent-Length: 262144\r\n\r\n";
    let mut stream = MALLORY.connect(&daemon.socket);
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&vec![b'x'; 262_144]).unwrap();
    assert_eq!(http::read_response(&mut stream).unwrap().status, 403);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);

    // Only a few connections that stay open are accepted, and they are closed soon.
    let before = descriptors(&daemon);
    let stay: Vec<_> = (0..100).map(|_| MALLORY.connect(&daemon.socket)).collect();
    assert!(descriptors(&daemon) <= before + 64);
    wait_until("the daemon to close the connections", || {
        descriptors(&daemon) <= before
    });
    drop(stay);
    env.stop(&mut daemon);
}

#[test]
fn the_companion_prints_why_it_was_refused() {
    if !is_root_or_skip("the_companion_prints_why_it_was_refused") {
        return;
    }
    let crowd: Vec<_> = (60_110..60_150).map(user).collect();
    let env = set_up(&[&[ALICE], &crowd[..]].concat());
    let mut daemon = start(&env, 64);
    let jeton = install(env!("CARGO_BIN_EXE_jeton"));
    let socket = daemon.socket.to_str().unwrap();
    let ask = |user: User| {
        let command = user.command(
            &env,
            &jeton.program,
            &["--socket", socket, "token", "research"],
        );
        env.finish("jeton token", command, b"", true)
    };
    for i in 0..18 {
        let refused = ask(MALLORY);
        assert_eq!(refused.code, 77, "{i}: {refused:?}");
        assert!(refused.stderr.contains("may not"), "{i}: {refused:?}");
    }
    // All slots are taken by requests that wait, each from a different user.
    let waiting: Vec<_> = crowd
        .iter()
        .map(|user| {
            let mut stream = user.connect(&daemon.socket);
            // The last ones are refused.
            let _ = stream.write_all(WAIT.as_bytes());
            stream
        })
        .collect();
    for i in 0..18 {
        let refused = ask(ALICE);
        assert_eq!(refused.code, 75, "{i}: {refused:?}");
        assert!(
            refused.stderr.contains("too many connections"),
            "{i}: {refused:?}"
        );
    }
    // Some slots are reserved for the daemon's own user.
    assert_eq!(env.get(&daemon, TOKEN).status, 200);
    drop(waiting);
    env.stop(&mut daemon);
}

#[test]
fn a_running_request_never_loses_its_slot() {
    if !is_root_or_skip("a_running_request_never_loses_its_slot") {
        return;
    }
    let env = set_up(&[ALICE, BOB]);
    let mut daemon = start(&env, 256);
    let mut waiting: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = ALICE.connect(&daemon.socket);
            stream.write_all(WAIT.as_bytes()).unwrap();
            stream
        })
        .collect();
    // First Alice has the most connections of all users, and then Bob.
    for (size, user) in [(400, ALICE), (400, BOB)] {
        let crowd = ConnectionFlood::new(&daemon, user, size, "G");
        wait_until("the crowd to connect", || crowd.opened() >= 2 * size);
        crowd.leave();
    }
    env.fault_at(1, "none");
    for stream in &mut waiting {
        let answer = http::read_response(stream).unwrap();
        env.add_output("an answer", &answer.body, true);
        assert_eq!(answer.status, 200);
    }
    env.stop(&mut daemon);
}

#[test]
fn a_new_request_of_a_user_with_only_watches_ends_the_oldest_watch() {
    if !is_root_or_skip("a_new_request_of_a_user_with_only_watches_ends_the_oldest_watch") {
        return;
    }
    let env = set_up(&[ALICE]);
    let mut daemon = start(&env, 256);
    let watch = get("/v1/profiles/research/watch");
    let mut watches = vec![];
    let most = loop {
        let mut stream = ALICE.connect(&daemon.socket);
        stream.write_all(watch.as_bytes()).unwrap();
        // The head and the first event.
        assert_eq!(event(&env, &mut stream), Some(true));
        watches.push(stream);
        watches[0].set_nonblocking(true).unwrap();
        let first = watches[0].read(&mut [0; 4_096]);
        watches[0].set_nonblocking(false).unwrap();
        match first {
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            ended => {
                assert_eq!(ended.unwrap(), 0, "the oldest watch ends");
                break watches.len() - 1;
            }
        }
        assert!(watches.len() < 256);
    };
    assert!(
        (80..130).contains(&most),
        "one user got {most} of 256 connections"
    );
    assert_eq!(status(&env, &daemon, ALICE), 200);
    // The connection of the request for the token has ended, and the newest watch continues.
    let mut wire = Wire::new(&env, &daemon.socket);
    wire.send("POST /v1/profiles/research/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    assert_eq!(wire.answer().status, 200);
    assert_eq!(event(&env, watches.last_mut().unwrap()), Some(true));
    drop(watches);
    env.stop(&mut daemon);
}

/// Reads from a watch until an event has a token. Returns `None` at the end of the watch.
fn event(env: &TestEnv, stream: &mut UnixStream) -> Option<bool> {
    let mut came = vec![];
    let mut bytes = [0; 4_096];
    loop {
        let n = stream.read(&mut bytes).unwrap();
        if n == 0 {
            return None;
        }
        came.extend_from_slice(&bytes[..n]);
        env.add_output("a watch", &came, true);
        if came.windows(12).any(|text| text == b"event: token") {
            return Some(true);
        }
    }
}

#[test]
fn a_reload_applies_to_the_next_request_of_an_open_connection() {
    if !is_root_or_skip("a_reload_applies_to_the_next_request_of_an_open_connection") {
        return;
    }
    let env = set_up(&[ALICE]);
    let mut daemon = start(&env, 256);
    let mut kept = ALICE.connect(&daemon.socket);
    let mut ask = || {
        kept.write_all(get("/v1/profiles").as_bytes()).unwrap();
        http::read_response(&mut kept).unwrap().status
    };
    assert_eq!(ask(), 200);
    let socket = daemon.socket.to_str().unwrap().to_owned();
    let reload = || {
        let reload = env.jeton(&["--socket", &socket, "reload"]);
        assert_eq!(reload.code, 0, "{reload:?}");
    };
    let text = fs::read_to_string(env.config()).unwrap();
    fs::write(env.config(), text.replace("60101", "60102")).unwrap();
    reload();
    assert_eq!(ask(), 403, "on the open connection");
    assert_eq!(status(&env, &daemon, ALICE), 403, "on a new connection");
    assert_eq!(status(&env, &daemon, BOB), 200);
    fs::write(env.config(), text).unwrap();
    reload();
    assert_eq!(status(&env, &daemon, ALICE), 200);
    assert_eq!(status(&env, &daemon, BOB), 403);
    env.stop(&mut daemon);
}
