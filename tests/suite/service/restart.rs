//! Restarts and a crash loop under a service manager that holds the sockets, as clients see them.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::manager::Manager;
use crate::support::wire::{Wire, get};

/// Makes one request on a new connection, as a script without a library does. Yields to the daemon between the connect
/// and the request.
fn ask(socket: &Path) -> std::io::Result<bool> {
    let mut stream = UnixStream::connect(socket)?;
    std::thread::yield_now();
    stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.0 200 ") || answer.starts_with("HTTP/1.1 200 "))
}

#[test]
fn a_client_that_connects_for_each_request_notices_no_restart() {
    const CLIENTS: usize = 8;
    const RESTARTS: usize = 10;
    let env = TestEnv::new();
    let manager = Manager::new(&env);
    let socket = env.path("run/jeton/jeton.sock");
    let (is_over, answered) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut failed = vec![];
                    while !is_over.load(Ordering::Relaxed) {
                        match ask(&socket) {
                            Ok(true) => _ = answered.fetch_add(1, Ordering::Relaxed),
                            other => failed.push(other),
                        }
                    }
                    failed
                })
            })
            .collect();
        for _ in 0..RESTARTS {
            let mut daemon = manager.start(&env);
            let before = answered.load(Ordering::Relaxed);
            wait_until("more responses", || {
                answered.load(Ordering::Relaxed) > before + 20
            });
            daemon.signal(Signal::TERM);
            assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
        }
        // The connections of the last clients wait in the socket's backlog.
        is_over.store(true, Ordering::Relaxed);
        let mut daemon = manager.start(&env);
        for client in clients {
            let failed = client.join().unwrap();
            assert!(failed.is_empty(), "{failed:?}");
        }
        env.stop(&mut daemon);
    });
}

#[test]
fn a_silent_connection_may_send_a_request_during_the_shutdown() {
    let env = TestEnv::new();
    let manager = Manager::new(&env);
    let mut daemon = manager.start(&env);
    let mut silent: Vec<_> = (0..8).map(|_| Wire::new(&env, &daemon.socket)).collect();
    let mut kept = Wire::new(&env, &daemon.socket);
    // Connections are accepted in order.
    kept.send(get("/healthz")).unwrap();
    assert_eq!(kept.answer().header("connection"), None);
    let mut asks = Wire::new(&env, &daemon.socket);
    let mut other = Wire::new(&env, &daemon.socket);
    other.send(get("/healthz")).unwrap();
    other.answer();
    daemon.signal(Signal::TERM);
    manager.wait_for_notification("STOPPING=1");
    asks.send(get("/healthz")).unwrap();
    let answer = asks.answer();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(daemon.wait().code(), Some(0));
    for wire in silent.iter_mut().chain([&mut kept, &mut asks]) {
        assert_eq!(wire.rest(), b"");
    }
    assert!(!daemon.log().contains("did not end in time"));
}

/// The folder that systemd keeps across restarts.
const RUNTIME: &str = "run/jetond";

/// Starts a daemon that ends at once with exit code 64, because of an invalid option in its unit.
fn short_life(env: &TestEnv) {
    let mut command = env.jetond_command(&["run", "--no-such-option"]);
    command
        .env("NOTIFY_SOCKET", env.path("notify"))
        .env("RUNTIME_DIRECTORY", env.path(RUNTIME));
    assert_eq!(env.finish("jetond", command, b"", false).code, 64);
}

/// Starts the daemon and waits until it serves. Returns whether it waited for a second first.
fn waits(env: &TestEnv, manager: &Manager) -> (Daemon, bool) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test measures a wait of one second"
    )]
    let start = Instant::now();
    let runtime = env.path(RUNTIME);
    let daemon = manager.start_with(env, &[("RUNTIME_DIRECTORY", &runtime)]);
    manager.wait_for_notification("READY=1");
    daemon.log_up_to_now();
    let waits = daemon.log().contains("so this start has waited for 1 s");
    assert!(!waits || start.elapsed() >= Duration::from_secs(1));
    (daemon, waits)
}

#[test]
fn a_crash_loop_is_slowed_down_until_a_requested_stop() {
    let env = TestEnv::new();
    fs::create_dir(env.path(RUNTIME)).unwrap();
    let manager = Manager::new(&env);
    for round in 0..2 {
        for _ in 0..5 {
            short_life(&env);
        }
        let (mut daemon, waits_now) = waits(&env, &manager);
        assert!(waits_now, "{round}");
        env.stop(&mut daemon);
        // A stop that was requested clears the record of short runs, so restarts are not delayed, however many there
        // are.
        for _ in 0..6 {
            let (mut daemon, waits) = waits(&env, &manager);
            assert!(!waits, "{}", daemon.log());
            env.stop(&mut daemon);
        }
        assert_eq!(fs::read_dir(env.path(RUNTIME)).unwrap().count(), 0);
    }
    // A run of 2 s also clears the record.
    for _ in 0..4 {
        short_life(&env);
    }
    let (mut daemon, _) = waits(&env, &manager);
    wait_until("the crash record to be cleared", || {
        fs::read_dir(env.path(RUNTIME)).unwrap().count() == 0
    });
    daemon.child.kill().unwrap();
    daemon.wait();
    let (mut daemon, waits) = waits(&env, &manager);
    assert!(!waits);
    env.stop(&mut daemon);
}

#[test]
fn a_command_leaves_no_crash_record() {
    let env = TestEnv::new();
    let runtime = env.path(RUNTIME);
    fs::create_dir(&runtime).unwrap();
    for (args, is_managed) in [
        (&["run", "--no-such-option"][..], false),
        (&["--version"], true),
        (&["check"], true),
        (&["run", "--help"], true),
        (&["run", "--", "true"], true),
    ] {
        let mut command = env.jetond_command(args);
        command.env("RUNTIME_DIRECTORY", &runtime);
        if is_managed {
            command.env("NOTIFY_SOCKET", env.path("notify"));
        }
        let _ = env.finish("jetond", command, b"", false);
        assert_eq!(fs::read_dir(&runtime).unwrap().count(), 0, "{args:?}");
    }
}
