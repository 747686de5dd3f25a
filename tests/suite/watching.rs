//! Watching a profile: server-sent events, and the companion's JSON lines.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};

use crate::support::TestEnv;
use crate::support::daemon::Daemon;
use crate::support::http;

const WATCH: &str = "/v1/profiles/research/watch";

/// A watch over HTTP/1.0, whose answer consists of the events only.
struct Watch(BufReader<UnixStream>);

impl Watch {
    fn open(daemon: &Daemon, last_event_id: Option<u64>) -> Self {
        let mut stream = http::connect(&daemon.socket);
        stream.write_all(ask(last_event_id).as_bytes()).unwrap();
        let mut watch = Self(BufReader::new(stream));
        let head = watch.block();
        assert!(head[0].starts_with("HTTP/1.0 200"), "{head:?}");
        watch
    }

    /// Returns the lines up to the next empty one, without signs of life. Empty at the end of the watch.
    fn block(&mut self) -> Vec<String> {
        let mut lines = vec![];
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            match line.trim_end() {
                ":" => {}
                "" if lines.is_empty() && !line.is_empty() => {}
                "" => return lines,
                text => lines.push(text.to_owned()),
            }
        }
    }

    /// Returns the next event with this name.
    fn next(&mut self, name: &str) -> Value {
        loop {
            let block = self.block();
            assert!(!block.is_empty(), "the watch ended");
            if block[0] == format!("event: {name}") {
                let data = block.last().unwrap().strip_prefix("data: ").unwrap();
                let json: Value = serde_json::from_str(data).unwrap();
                if name == "token" {
                    assert_eq!(block[1], format!("id: {}", json["generation"]));
                }
                return json;
            }
        }
    }
}

fn ask(last_event_id: Option<u64>) -> String {
    let id = last_event_id.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
    format!("GET {WATCH} HTTP/1.0\r\n{id}\r\n")
}

/// Runs one of many watchers. Returns the generations of the first `wanted` tokens that it receives. If `coming_back`,
/// it reconnects after each of them.
async fn generations(socket: std::path::PathBuf, wanted: usize, coming_back: bool) -> Vec<u64> {
    let mut got: Vec<u64> = vec![];
    while got.len() < wanted {
        let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
        let ask = ask(got.last().copied());
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut lines = tokio::io::BufReader::new(stream).lines();
        while got.len() < wanted {
            let line = lines
                .next_line()
                .await
                .unwrap()
                .expect("the event stream continues");
            if let Some(id) = line.strip_prefix("id: ") {
                got.push(id.parse().unwrap());
                if coming_back {
                    break;
                }
            }
        }
    }
    got
}

#[test]
fn a_thousand_watchers_each_get_every_token_once_in_order() {
    const WATCHERS: usize = 1_000;
    const TOKENS: usize = 4;
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: most,
            maximum: most,
        },
    )
    .unwrap();
    let env = TestEnv::with_sandbox(10);
    env.enrol("research");
    let mut daemon = env.start();
    env.token(&daemon, "research");
    // Some clients start a watch and never read. The other watchers must not wait for them.
    let deaf: Vec<UnixStream> = (0..50)
        .map(|_| {
            let mut stream = http::connect(&daemon.socket);
            stream.write_all(ask(None).as_bytes()).unwrap();
            stream
        })
        .collect();
    let socket = daemon.socket.clone();
    let seen: Vec<Vec<u64>> = env.block_on(async {
        let watchers: Vec<_> = (0..WATCHERS)
            // Every tenth watcher reconnects after each token, with the last generation.
            .map(|n| tokio::spawn(generations(socket.clone(), TOKENS, n % 10 == 0)))
            .collect();
        let mut seen = vec![];
        for watcher in watchers {
            seen.push(watcher.await.unwrap());
        }
        seen
    });
    let given: BTreeSet<u64> = seen.iter().flatten().copied().collect();
    for watcher in &seen {
        assert!(watcher.is_sorted_by(|a, b| a < b), "{watcher:?}");
        // Between its first and its last token, it received each token that any watcher received.
        let (first, last) = (watcher[0], watcher[TOKENS - 1]);
        assert_eq!(
            given.range(first..=last).count(),
            TOKENS,
            "{watcher:?} of {given:?}"
        );
    }
    drop(deaf);
    env.stop(&mut daemon);
}

#[test]
fn a_watch_begins_with_the_current_state() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let mut watch = Watch::open(&daemon, None);
    let first = watch.next("token");
    assert_eq!(first["access_token"], env.token(&daemon, "research"));
    assert_eq!(watch.next("state")["phase"], "fresh");
    env.fault("status:503");
    let refresh = env.request(
        &daemon.socket,
        "POST",
        "/v1/profiles/research/refresh",
        &[],
        b"",
    );
    assert_eq!(refresh.status, 503);
    let state = watch.next("state");
    assert_eq!(state["phase"], "retrying");
    assert_eq!(state["last_fault"]["kind"], "server_error");
    env.fault("none");
    let second = watch.next("token");
    assert!(second["generation"].as_u64() > first["generation"].as_u64());
    assert_eq!(watch.next("state")["phase"], "fresh");

    // A watcher that reconnects gets the newest token, unless it has it already.
    let known = second["generation"].as_u64();
    assert_eq!(Watch::open(&daemon, known).block()[0], "event: state");
    let mut late = Watch::open(&daemon, first["generation"].as_u64());
    assert_eq!(late.next("token"), second);
    let refused = env.request(&daemon.socket, "GET", WATCH, &[("Last-Event-ID", "x")], b"");
    assert_eq!(refused.code(), "bad_request");

    // A shutdown ends the watch properly.
    daemon.signal(Signal::TERM);
    let mut rest = String::new();
    watch.0.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    env.stop(&mut daemon);
}

#[test]
fn a_reload_ends_only_watches_of_removed_profiles() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.enrol("other");
    let mut daemon = env.start();
    let mut watch = Watch::open(&daemon, None);
    watch.next("token");
    watch.next("state");
    assert_eq!(env.jeton(&["reload"]).code, 0);
    assert_eq!(env.jetond(&["remove", "research", "--yes"]).code, 0);
    assert_eq!(
        watch.block(),
        Vec::<String>::new(),
        "the watch ends without another event"
    );
    env.stop(&mut daemon);
}

fn start_watch(env: &TestEnv, args: &[&str]) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = env.command(env!("CARGO_BIN_EXE_jeton"));
    let mut child = command
        .args([&["watch", "research"], args].concat())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

#[test]
fn jeton_watch_prints_one_json_line_per_event() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let refused = env.jeton(&["watch", "research", "--since", "x"]);
    assert_eq!(refused.code, 64, "{refused:?}");
    let (child, lines) = start_watch(&env, &[]);
    let mut events = lines.lines().map(|line| {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        event
    });
    let token = events.find(|event| event["event"] == "token").unwrap();
    assert_eq!(token["access_token"], env.token(&daemon, "research"));
    assert_eq!(events.next().unwrap()["phase"], "fresh");
    let (mut late, mut lines) = start_watch(&env, &["--since", &token["generation"].to_string()]);
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(line.starts_with("{\"event\":\"state\","), "{line}");
    drop(lines);
    assert_eq!(
        late.wait().unwrap().code(),
        Some(141),
        "the companion ends when its reader has closed the pipe"
    );

    daemon.signal(Signal::TERM);
    assert!(events.next().is_none());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(75));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(said, "jeton: the daemon is stopping\n");
    env.stop(&mut daemon);
}
