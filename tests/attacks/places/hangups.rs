//! Peers that hang up while their requests wait, and peers that only shut down their sending side.

use std::time::{Duration, Instant};

use super::*;

/// Much less than the 15 s after which a heartbeat would detect it.
const AT_ONCE: Duration = Duration::from_secs(5);

/// The number of descriptors of an attempt. One attempt may be running.
const ATTEMPT: usize = 6;

/// Waits until no more descriptors are open than before, and asserts that this happened at once.
fn places_are_free(daemon: &Daemon, before: usize) {
    let start = Instant::now();
    wait_until("the daemon to close the connections", || {
        descriptors(daemon) <= before + ATTEMPT
    });
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
}

#[test]
fn closed_watches_free_their_slots_at_once() {
    raise_descriptor_limit();
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    env.token(&daemon, "research");
    let before = descriptors(&daemon);
    let watch = get("/v1/profiles/research/watch");
    for _ in 0..2 {
        // Slightly less than one user's limit, because some of the user's earlier connections may still be ending.
        let watches: Vec<_> = (0..3_060)
            .map(|_| {
                let mut stream = http::connect(&daemon.socket);
                stream.write_all(watch.as_bytes()).unwrap();
                stream
            })
            .collect();
        wait_until("the watches to open", || {
            descriptors(&daemon) > before + 3_000
        });
        drop(watches);
        let mut kept = Wire::new(&env, &daemon.socket).asks_for_token();
        for _ in 0..50 {
            kept.send(get(TOKEN)).unwrap();
            assert_eq!(kept.answer().status, 200);
            env.token(&daemon, "research");
        }
        drop(kept);
        places_are_free(&daemon, before);
    }
    env.stop(&mut daemon);
}

#[test]
fn a_waiting_request_ends_when_its_peer_hangs_up() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.fault("hang");
    let mut daemon = env.start();
    wait_until("the daemon to serve", || {
        env.get(&daemon, "/healthz").status == 200
    });
    let before = descriptors(&daemon);
    for shutdown in [false, true] {
        let waiting: Vec<_> = (0..50)
            .map(|_| {
                let mut stream = http::connect(&daemon.socket);
                stream
                    .write_all(get(&format!("{TOKEN}?max_wait=60")).as_bytes())
                    .unwrap();
                if shutdown {
                    stream.shutdown(std::net::Shutdown::Write).unwrap();
                }
                stream
            })
            .collect();
        wait_until("the requests to wait", || {
            descriptors(&daemon) + ATTEMPT >= before + 50
        });
        drop(waiting);
        places_are_free(&daemon, before);
    }
    env.fault("none");
    env.stop(&mut daemon);
}

#[test]
fn a_peer_that_shuts_down_sending_still_gets_answers_and_events() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.fault("hang");
    let mut daemon = env.start();
    wait_until("the daemon to serve", || {
        env.get(&daemon, "/healthz").status == 200
    });
    let mut waiting = Wire::new(&env, &daemon.socket).asks_for_token();
    waiting.send(get(&format!("{TOKEN}?max_wait=60"))).unwrap();
    waiting.finish();
    let mut watching = http::connect(&daemon.socket);
    watching
        .write_all(get("/v1/profiles/research/watch").as_bytes())
        .unwrap();
    watching.shutdown(std::net::Shutdown::Write).unwrap();
    // Long enough that the daemon would notice the end of a connection.
    std::thread::sleep(Duration::from_millis(300));
    env.fault("none");
    assert_eq!(waiting.answer().status, 200);
    assert_eq!(event(&env, &mut watching), Some(true));
    let mut wire = Wire::new(&env, &daemon.socket);
    wire.send("POST /v1/profiles/research/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    assert_eq!(wire.answer().status, 200);
    assert_eq!(event(&env, &mut watching), Some(true));
    env.stop(&mut daemon);
}
