//! Many, silent or greedy clients.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use super::assert_serves;
use crate::support::TestEnv;
use crate::support::daemon::{Daemon, raise_descriptor_limit, wait_until};
use crate::support::http::connect;
use crate::support::wire::{Wire, get};

fn resident_kib(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn silent_and_half_open_connections_are_closed() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let mut silent = Wire::new(&env, &daemon.socket);
    let mut half = Wire::new(&env, &daemon.socket);
    half.send("GET /v1/profiles/research/token HTTP/1.1\r\nHost: local")
        .unwrap();
    for _ in 0..50 {
        env.token(&daemon, "research");
    }
    assert_eq!(silent.rest(), b"");
    assert_eq!(half.rest(), b"");
    env.stop(&mut daemon);
}

#[test]
fn every_request_is_answered_despite_silent_connections_over_the_cap() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    raise_descriptor_limit();
    let mut daemon = env.start();
    let mut crowd: Vec<UnixStream> = (0..2_000).map(|_| connect(&daemon.socket)).collect();
    for i in 0..200 {
        // These exceed the limit of connections per user, so the daemon closes the oldest silent ones.
        crowd.extend((0..10).map(|_| connect(&daemon.socket)));
        let response = env.get(&daemon, "/v1/profiles/research/token");
        assert_eq!(response.status, 200, "{i}");
    }
    drop(crowd);
    env.stop(&mut daemon);
}

#[test]
fn the_memory_of_3_000_closed_connections_is_released() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    raise_descriptor_limit();
    let mut daemon = env.start();
    env.token(&daemon, "research");
    let before = resident_kib(&daemon);
    for _ in 0..2 {
        let mut crowd: Vec<_> = (0..3_000).map(|_| connect(&daemon.socket)).collect();
        for stream in &mut crowd {
            let request = get("/v1/profiles/research/token");
            stream.write_all(request.as_bytes()).unwrap();
        }
        let mut answer = [0; 16];
        for stream in &mut crowd {
            stream.read_exact(&mut answer).unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 200"));
        }
        assert!(resident_kib(&daemon) > before + 20_000, "a crowd");
        drop(crowd);
        wait_until("the daemon to give memory back", || {
            // A connection that ends after the crowd has left also counts.
            env.token(&daemon, "research");
            resident_kib(&daemon) < before + 5_000
        });
    }
    env.stop(&mut daemon);
}

#[test]
fn pipelined_requests_are_all_answered_in_their_order() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let mut wire = Wire::new(&env, &daemon.socket);
    let targets = [
        "/healthz",
        "/v1/profiles/research",
        "/nothing",
        "/readyz",
        "/v1/profiles?x=1",
    ];
    let pipeline: String = targets
        .iter()
        .chain(&targets)
        .map(|target| get(target))
        .collect();
    wire.send(pipeline).unwrap();
    for _ in 0..2 {
        assert_eq!(wire.answer().text(), "ok\n");
        assert_eq!(wire.answer().json()["profile"], "research");
        assert_eq!(wire.answer().code(), "not_found");
        assert_eq!(wire.answer().text(), "ready\n");
        assert_eq!(wire.answer().code(), "bad_request");
    }
    env.stop(&mut daemon);
}

#[test]
fn clients_that_never_read_do_not_affect_others() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    env.token(&daemon, "research");
    let before = resident_kib(&daemon);
    let pipeline = get("/v1/profiles").repeat(5_000);
    let greedy: Vec<UnixStream> = (0..20)
        .map(|_| {
            let mut stream = connect(&daemon.socket);
            stream.set_nonblocking(true).unwrap();
            // Writes until neither the daemon nor the kernel takes more.
            loop {
                match stream.write(pipeline.as_bytes()) {
                    Ok(_) => {}
                    Err(e) if e.kind() == ErrorKind::WouldBlock => return stream,
                    Err(e) => panic!("{e}"),
                }
            }
        })
        .collect();
    for _ in 0..50 {
        env.token(&daemon, "research");
    }
    let grown = resident_kib(&daemon).saturating_sub(before);
    assert!(
        grown < 20 * 1_024,
        "{grown} KiB for {} of them",
        greedy.len()
    );
    assert_serves(&env, &daemon);
    drop(greedy);
    env.stop(&mut daemon);
}
