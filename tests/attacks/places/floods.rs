//! Floods of useless connections, thousands at a time. A new one replaces each that ends.

use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::*;

/// Enough descriptors for thousands of waiting connections.
const DESCRIPTORS: usize = 18_000;

/// A control byte is not a method, so the connection ends without an answer.
const NO_REQUEST: &str = "\u{1}\r\n\r\n";

/// Connects as this user in the way of curl: a connect that would have to wait fails.
fn connect_without_a_wait(daemon: &Daemon, user: User) -> UnixStream {
    let address = SocketAddrUnix::new(&daemon.socket).unwrap();
    let connect = || {
        user.switch_thread();
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        let connected = rustix::net::connect(&socket, &address);
        assert_ne!(connected, Err(Errno::AGAIN), "the backlog is full");
        connected.unwrap();
        let stream = UnixStream::from(socket);
        stream.set_nonblocking(false).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream
    };
    std::thread::scope(|scope| scope.spawn(connect).join().unwrap())
}

/// Requests the token on a new connection and returns the status.
fn status_without_a_wait(env: &TestEnv, daemon: &Daemon, user: User) -> u16 {
    let mut stream = connect_without_a_wait(daemon, user);
    // A refusal may arrive before the request is written.
    let _ = stream.write_all(get(TOKEN).as_bytes());
    let answer = http::read_response(&mut stream).unwrap();
    env.add_output("an answer", &answer.body, answer.status == 200);
    answer.status
}

/// Returns whether the daemon can have this many descriptors.
fn can_have_many(test: &str) -> bool {
    raise_descriptor_limit();
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let enough = limit
        .maximum
        .is_none_or(|maximum| maximum >= DESCRIPTORS as u64);
    if !enough {
        crate::support::ignored(&format!(
            "{test}: the limit of descriptors is below {DESCRIPTORS}"
        ));
    }
    enough
}

#[test]
fn floods_of_strangers_delay_no_other_user() {
    let test = "floods_of_strangers_delay_no_other_user";
    if !is_root_or_skip(test) || !can_have_many(test) {
        return;
    }
    let env = set_up(&[ALICE]);
    let mut daemon = start(&env, DESCRIPTORS);
    let crowds = [MALLORY, TRUDY].map(|user| ConnectionFlood::new(&daemon, user, 1_500, "G"));
    for crowd in &crowds {
        wait_until("the crowd to connect", || crowd.opened() >= 1_500);
    }
    // Only a limited number of refused connections are drained at a time. These are more, so the others wait.
    wait_until("the other connections to wait", || {
        descriptors(&daemon) > 1_000
    });
    for _ in 0..100 {
        assert_eq!(status_without_a_wait(&env, &daemon, ALICE), 200);
        assert_eq!(
            status_without_a_wait(&env, &daemon, BOB),
            403,
            "no rule names Bob"
        );
    }
    honest_clients_are_served(&env, &daemon, ALICE, 20);
    for crowd in crowds {
        assert!(crowd.leave().starts_with(b"HTTP/1.1 403 "));
    }
    env.stop(&mut daemon);
}

#[test]
fn a_user_that_sends_no_requests_delays_only_itself() {
    let test = "a_user_that_sends_no_requests_delays_only_itself";
    if !is_root_or_skip(test) || !can_have_many(test) {
        return;
    }
    let env = set_up(&[ALICE, BOB]);
    let mut daemon = start(&env, DESCRIPTORS);
    let before = descriptors(&daemon);
    let crowd = ConnectionFlood::new(&daemon, BOB, 1_500, NO_REQUEST);
    wait_until("the connections to wait", || {
        descriptors(&daemon) > before + 1_000
    });
    for _ in 0..100 {
        assert_eq!(status_without_a_wait(&env, &daemon, ALICE), 200);
    }
    honest_clients_are_served(&env, &daemon, ALICE, 20);
    // Connections of the same user also get their turn.
    assert_eq!(status(&env, &daemon, BOB), 200);
    crowd.leave();
    env.stop(&mut daemon);
}

#[test]
fn at_a_stop_every_waiting_connection_gets_an_answer() {
    let test = "at_a_stop_every_waiting_connection_gets_an_answer";
    if !is_root_or_skip(test) || !can_have_many(test) {
        return;
    }
    const MANY: usize = 3_000;
    let env = set_up(&[ALICE]);
    let mut daemon = start(&env, DESCRIPTORS);
    let before = descriptors(&daemon);
    let mut streams: Vec<_> = (0..MANY)
        .map(|_| {
            let stream = connect_without_a_wait(&daemon, MALLORY);
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            stream
        })
        .collect();
    assert!(descriptors(&daemon) > before + 100, "no connection waits");
    let start = Instant::now();
    env.stop(&mut daemon);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    for stream in &mut streams {
        assert_eq!(http::read_response(stream).unwrap().status, 403);
    }
}

#[test]
fn at_a_stop_requests_on_waiting_connections_are_answered() {
    let test = "at_a_stop_requests_on_waiting_connections_are_answered";
    if !is_root_or_skip(test) || !can_have_many(test) {
        return;
    }
    let env = set_up(&[ALICE]);
    let mut daemon = start(&env, DESCRIPTORS);
    let before = descriptors(&daemon);
    let crowd = ConnectionFlood::new(&daemon, ALICE, 1_500, NO_REQUEST);
    wait_until("the connections to wait", || {
        descriptors(&daemon) > before + 1_000
    });
    let mut streams: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = connect_without_a_wait(&daemon, ALICE);
            stream.write_all(get(TOKEN).as_bytes()).unwrap();
            stream
        })
        .collect();
    crowd.leave();
    assert!(descriptors(&daemon) > before + 1_000, "no connection waits");
    env.stop(&mut daemon);
    for stream in &mut streams {
        let answer = http::read_response(stream).unwrap();
        env.add_output("an answer", &answer.body, true);
        assert_eq!(answer.status, 200);
    }
}
