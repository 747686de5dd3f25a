//! Twenty rotations in real time, while 64 clients ask for tokens and call the API with each: none of them notices.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which stop at the first surprise as tests do"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jetond::sandbox::{Application, Line, OldTokens, Sandbox};

use crate::app;
use crate::support::daemon::wait_until;
use crate::support::http;

/// How many profiles are rotated at once, and how often each.
const PROFILES: usize = 5;
const ROTATIONS: usize = 4;

const CLIENTS: usize = 64;

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What a client does between two requests: the machine has other work to do.
const PAUSE: Duration = Duration::from_millis(40);

fn profile(number: usize) -> String {
    format!("p{number}")
}

/// The keys of this profile at the control plane: the one that was made for it, and those of its rotations.
fn keys_of(keys: &[Application], number: usize) -> usize {
    let (first, later) = (format!("key-{number}"), format!("jeton-p{number}-"));
    let of_it = |key: &&Application| key.name == first || key.name.starts_with(&later);
    keys.iter().filter(of_it).count()
}

/// The status of a call of the API with this token.
fn call(host: &str, token: &str) -> u16 {
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!(
        "GET /api/v1/authorization/permissions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = vec![];
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).unwrap_or_default();
    status.parse().unwrap_or_default()
}

/// What the clients have met.
#[derive(Default)]
struct Tally {
    asked: AtomicU64,
    over: AtomicBool,
}

/// Asks for tokens of this profile until it is over. Each has to be there, and to be taken by the API: a token of a key that
/// was deleted is not.
fn ask(socket: &Path, host: &str, number: usize, tally: &Tally) {
    let target = format!("/v1/profiles/{}/token", profile(number));
    while !tally.over.load(Ordering::SeqCst) {
        let accept = [("Accept", "text/plain")];
        let answer = http::request(socket, "GET", &target, &accept, b"");
        assert_eq!(answer.status, 200, "{number}: {}", answer.text());
        assert_eq!(call(host, answer.text().trim_end()), 200, "{number}");
        tally.asked.fetch_add(1, Ordering::SeqCst);
        thread::sleep(PAUSE);
    }
}

/// Counts the keys until it is over: two at most are a profile's.
fn watch_keys(sandbox: &Sandbox, tally: &Tally) {
    while !tally.over.load(Ordering::SeqCst) {
        let keys = sandbox.applications();
        for number in 0..PROFILES {
            let count = keys_of(&keys, number);
            assert!((1..=2).contains(&count), "{number}: {keys:?}");
        }
        thread::sleep(PAUSE / 4);
    }
}

/// Ends the clients also where a test fails.
struct Over<'a>(&'a Tally);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
    }
}

#[test]
fn no_client_notices_twenty_rotations() {
    let (env, daemon) = app::started(Line::V2_24, 2);
    // The hardest server: with a key go its tokens.
    env.sandbox().set_old_tokens(OldTokens::Die);
    for number in 0..PROFILES {
        let (key, name) = (format!("key-{number}"), profile(number));
        let made = env.jetond(&["app", "create", &key, "research", "--enrol", &name]);
        assert_eq!(made.code, 0, "{made:?}");
        wait_until("its first token", || {
            let target = format!("/v1/profiles/{name}/token");
            env.get(&daemon, &target).status == 200
        });
    }
    let url = env.sandbox().url();
    let host = url.strip_prefix("http://").unwrap();
    let (socket, sandbox, tally) = (daemon.socket.as_path(), env.sandbox(), &Tally::default());
    let rotate = |number: usize| {
        let mut command = env.command(env!("CARGO_BIN_EXE_jeton"));
        command.args(["rotate", &profile(number), "--wait", "--timeout", "60"]);
        command
    };
    let mut commands: Vec<_> = (0..PROFILES)
        .map(|number| (0..ROTATIONS).map(|_| rotate(number)).collect::<Vec<_>>())
        .collect();
    let begin = Instant::now();
    let mut outputs = vec![];
    thread::scope(|scope| {
        let over = Over(tally);
        for client in 0..CLIENTS {
            scope.spawn(move || ask(socket, host, client % PROFILES, tally));
        }
        scope.spawn(move || watch_keys(sandbox, tally));
        let rotating: Vec<_> = commands
            .iter_mut()
            .map(|commands| {
                scope.spawn(|| {
                    let all = commands.iter_mut().map(|command| command.output().unwrap());
                    all.collect::<Vec<_>>()
                })
            })
            .collect();
        for one in rotating {
            outputs.extend(one.join().unwrap());
        }
        drop(over);
    });
    let took = begin.elapsed();
    assert_eq!(outputs.len(), PROFILES * ROTATIONS);
    for output in outputs {
        let (out, err) = (output.stdout, output.stderr);
        env.add_output("jeton rotate", &out, false);
        env.add_output("jeton rotate", &err, false);
        let said = String::from_utf8_lossy(&out);
        assert_eq!(output.status.code(), Some(0), "{said}{err:?}");
        assert!(said.contains("is deleted"), "{said}");
        assert!(took < LIMIT, "{took:?}: {said}");
    }
    let asked = tally.asked.load(Ordering::SeqCst);
    assert!(asked > 1_000, "{asked} requests");
    // One key for each profile is left.
    let keys = env.sandbox().applications();
    assert_eq!(keys.len(), PROFILES + 1, "{keys:?}");
    assert_eq!(env.sandbox().stats().rejected, 0);
    app::end(env, daemon);
}
