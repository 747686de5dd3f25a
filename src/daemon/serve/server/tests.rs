//! Timers of a connection, on a paused clock over an in-memory pipe.

mod drain;
mod memory;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, split};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::connections::{Connections, FIRST_REQUEST, Limits};
use super::*;
use crate::daemon::command_files::CommandFiles;
use crate::daemon::keep::handle::Handle;
use crate::daemon::keep::roster::{Entry, Profiles, Roster};
use crate::daemon::service::{LongLists, SecondCalls};
use crate::daemon::testing::{MemoryStore, Play, ScriptedIssuer, keep};
use crate::fault::FaultKind;
use crate::policy::{AccessContext, Caller, Peer, UserNamespace};
use crate::process::program::ProgramFile;

const OURS: u32 = 1_000;

/// Time that requests in progress get once the shutdown has begun.
const GRACE: Duration = secs(5);

/// A client's end of a connection, and the state of its server.
struct Client {
    from: ReadHalf<DuplexStream>,
    to: WriteHalf<DuplexStream>,
    start: Instant,
    close: watch::Sender<bool>,
    connections: Arc<Connections>,
    roster: Arc<Roster>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test runs on tokio's paused clock"
)]
fn now() -> Instant {
    Instant::now()
}

const fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// Returns the only profile.
fn profiles(handle: Arc<Handle>) -> Profiles {
    let name = handle.name().clone();
    let (rules, hosts) = ([].into(), [].into());
    let entry = Entry {
        handle,
        rules,
        hosts,
        sinks: [].into(),
        rotation: Arc::default(),
    };
    Profiles::from([(name, entry)])
}

/// Creates a daemon of `own_uid` whose only profile's issuer plays this scene, and the sender that ends its watches.
fn daemon(own_uid: u32, scene: Play) -> (Arc<Server>, watch::Sender<bool>) {
    let (handle, clock) = keep(&ScriptedIssuer::new(&[scene]), &MemoryStore::new(Some("s")));
    let roster = Arc::new(Roster::new(AccessContext {
        own_uid,
        namespace: UserNamespace::Identity,
    }));
    roster.replace(profiles(handle));
    let (close, closing) = watch::channel(false);
    let server = Arc::new(Server {
        service: Arc::new(Service {
            roster: Arc::clone(&roster),
            clock,
            socket: "/run/jeton/jeton.sock".to_owned(),
            program: ProgramFile::of_this_process(),
            reloads: mpsc::channel(1).0,
            closing,
            lists: LongLists::default(),
            second_calls: SecondCalls::default(),
            files: CommandFiles::default(),
            rotations: Arc::default(),
            ages: Arc::default(),
        }),
        connections: Connections::new(8, 8),
        memory: Memory::new(own_uid),
        refusals: Refusals::new(1),
        refused: RefusalLog::default(),
    });
    (server, close)
}

/// Connects as `uid` to a new daemon whose only profile's issuer plays this scene.
fn connect_as(uid: u32, scene: Play) -> Client {
    let (server, close) = daemon(OURS, scene);
    connect_to(&server, close, uid)
}

/// Connects as `uid` to this daemon.
fn connect_to(server: &Arc<Server>, close: watch::Sender<bool>, uid: u32) -> Client {
    let connections = Arc::clone(&server.connections);
    let roster = Arc::clone(&server.service.roster);
    let (place, leave) = connections.admit(uid).unwrap();
    let (ours, theirs) = tokio::io::duplex(4_096);
    let caller = Caller {
        uid,
        gid: uid,
        groups: Box::default(),
    };
    let peer = Peer { caller, pid: None };
    tokio::spawn(Arc::clone(server).connection(ours, peer, SocketKind::Tokens, place, leave));
    let (from, to) = split(theirs);
    Client {
        from,
        to,
        start: now(),
        close,
        connections,
        roster,
    }
}

fn connect() -> Client {
    let grant = Play::Grant {
        secs: 3_600,
        after: Duration::ZERO,
    };
    connect_as(OURS, grant)
}

fn request(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

impl Client {
    /// Starts the shutdown. The task returns the number of connections that were closed at the deadline.
    fn stop_the_daemon(&self) -> JoinHandle<usize> {
        self.close.send_replace(true);
        let connections = Arc::clone(&self.connections);
        tokio::spawn(async move { connections.drain(GRACE).await })
    }

    async fn send(&mut self, text: &str) {
        self.to.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads one answer. Returns its status and its body.
    async fn answer(&mut self) -> (u16, String) {
        let mut head = vec![];
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.from.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap();
        let length = length.split("\r\n").next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.from.read_exact(&mut body).await.unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, String::from_utf8(body).unwrap())
    }

    async fn get(&mut self, target: &str) -> u16 {
        self.send(&request(target)).await;
        self.answer().await.0
    }

    /// Asserts that nothing more is sent before the connection ends. Returns the time from the start to that end.
    async fn ended(&mut self) -> Duration {
        let mut rest = vec![];
        self.from.read_to_end(&mut rest).await.unwrap();
        assert_eq!(String::from_utf8(rest).unwrap(), "");
        self.start.elapsed()
    }
}

/// Allows for the resolution of timers, a millisecond each.
#[track_caller]
fn assert_about(found: Duration, wanted: Duration) {
    let late = found.checked_sub(wanted).expect("not before");
    assert!(late <= Duration::from_millis(10), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_after_2_s() {
    assert_about(connect().ended().await, secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_request_head_times_out_after_2_s_even_if_bytes_keep_arriving() {
    let mut client = connect();
    tokio::time::sleep(secs(1)).await;
    for byte in request("/healthz").chars().take(19) {
        client.send(&byte.to_string()).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_about(client.ended().await, secs(3));

    let mut later = connect();
    assert_eq!(later.get("/healthz").await, 200);
    tokio::time::sleep(secs(30)).await;
    later.send("GET /he").await;
    assert_about(later.ended().await, secs(32));
}

#[tokio::test(start_paused = true)]
async fn a_connection_may_idle_for_60_s_between_requests() {
    let mut client = connect();
    for _ in 0..3 {
        assert_eq!(client.get("/healthz").await, 200);
        tokio::time::sleep(secs(59)).await;
    }
    assert_eq!(client.get("/healthz").await, 200);
    assert_about(client.ended().await, secs(3 * 59 + 60));
}

#[tokio::test(start_paused = true)]
async fn a_connection_waiting_for_a_token_is_not_closed() {
    let mut client = connect_as(OURS, Play::Hang);
    let target = "/v1/profiles/research/token?max_wait=60";
    assert_eq!(client.get(target).await, 504);
    assert_about(client.start.elapsed(), secs(60));
    assert_eq!(client.get("/healthz").await, 200, "and may go on asking");
    assert_about(client.ended().await, secs(120));
}

#[tokio::test(start_paused = true)]
async fn a_caller_waiting_during_a_profile_restart_is_served_by_the_new_keeper() {
    let mut client = connect_as(OURS, Play::Hang);
    let target = "/v1/profiles/research/token?max_wait=60";
    client.send(&request(target)).await;
    tokio::time::sleep(secs(10)).await;
    let issuer = ScriptedIssuer::new(&[Play::Grant {
        secs: 3_600,
        after: secs(1),
    }]);
    let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
    let old = client.roster.all();
    client.roster.replace(profiles(handle));
    old.values().for_each(|entry| entry.handle.retire());
    assert_eq!(client.answer().await.0, 200);
    assert_about(client.start.elapsed(), secs(11));

    // The new profile gets the rest of the wait.
    let mut client = connect_as(OURS, Play::Hang);
    client.send(&request(target)).await;
    tokio::time::sleep(secs(10)).await;
    let (handle, _) = keep(
        &ScriptedIssuer::new(&[Play::Hang]),
        &MemoryStore::new(Some("s")),
    );
    let old = client.roster.all();
    client.roster.replace(profiles(handle));
    old.values().for_each(|entry| entry.handle.retire());
    assert_eq!(client.answer().await.0, 504);
    assert_about(client.start.elapsed(), secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_request_body_times_out_after_5_s() {
    let mut client = connect();
    client
        .send("POST /v1/helper HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        .await;
    let (status, body) = client.answer().await;
    assert_eq!(status, 400);
    assert!(body.contains("the body did not arrive in 5 s"), "{body}");
    assert_about(client.ended().await, secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_is_dropped_after_10_s_without_progress() {
    let mut client = connect();
    let many = request("/v1/profiles").repeat(1_000);
    // The server never reads the remaining requests.
    let _: Result<_, _> = client.to.write_all(many.as_bytes()).await;
    assert_about(client.start.elapsed(), secs(10));
    let mut got = vec![];
    client.from.read_to_end(&mut got).await.unwrap();
    assert!(got.len() <= 4_096, "{} bytes were written", got.len());
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_never_reads_is_closed_and_buffers_little() {
    let mut client = connect_as(
        OURS,
        Play::Grant {
            secs: 4,
            after: Duration::ZERO,
        },
    );
    client.send(&request("/v1/profiles/research/watch")).await;
    client.close.closed().await;
    let lasted = client.start.elapsed();
    assert!((secs(10)..secs(300)).contains(&lasted), "{lasted:?}");
    let mut got = vec![];
    client.from.read_to_end(&mut got).await.unwrap();
    assert!(got.len() <= 4_096, "{} bytes were written", got.len());
}

#[tokio::test(start_paused = true)]
async fn a_watch_stays_open_without_events_and_ends_at_shutdown() {
    let mut client = connect();
    client.send(&request("/v1/profiles/research/watch")).await;
    tokio::time::sleep(secs(600)).await;
    let drain = client.stop_the_daemon();
    let mut got = vec![];
    client.from.read_to_end(&mut got).await.unwrap();
    assert_about(client.start.elapsed(), secs(600));
    let text = String::from_utf8(got).unwrap();
    assert!(
        text.contains("content-type: text/event-stream\r\n"),
        "{text}"
    );
    assert_eq!(text.matches("event: token\nid: ").count(), 1, "{text}");
    assert!(text.matches(":\n\n").count() >= 39, "{text}");
    assert!(text.ends_with("0\r\n\r\n"), "it ends in order: {text}");
    assert_eq!(drain.await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_is_not_dropped() {
    let mut client = connect();
    client.send(&request("/v1/profiles").repeat(40)).await;
    for _ in 0..40 {
        tokio::time::sleep(secs(9)).await;
        assert_eq!(client.answer().await.0, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_forbidden_user_gets_one_403_and_the_connection_is_closed() {
    let mut client = connect_as(OURS + 1, Play::Hang);
    client.send(&request("/healthz").repeat(2)).await;
    let (status, body) = client.answer().await;
    assert_eq!(status, 403);
    assert!(body.contains("\"code\":\"forbidden\""), "{body}");
    assert_about(client.ended().await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_evicted_when_all_slots_are_taken() {
    let mut silent = connect();
    let others: Vec<_> = (0..8)
        .map(|_| silent.connections.admit(OURS).unwrap())
        .collect();
    assert_about(silent.ended().await, Duration::ZERO);
    drop(others);
}

#[tokio::test(start_paused = true)]
async fn pipelining_on_many_connections_does_not_delay_other_users() {
    const EACH: usize = 20;
    let scene = Play::Grant {
        secs: 3_600,
        after: Duration::ZERO,
    };
    let (server, _close) = daemon(OURS, scene);
    server.connections.limit(Limits {
        total: 100,
        per_uid: 90,
        ..Limits::default()
    });
    let connect = |uid| {
        let (place, leave) = server.connections.admit(uid).unwrap();
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let caller = Caller {
            uid,
            gid: uid,
            groups: Box::default(),
        };
        let peer = Peer { caller, pid: None };
        let server = Arc::clone(&server);
        tokio::spawn(server.connection(ours, peer, SocketKind::Tokens, place, leave));
        theirs
    };
    let mut greedy: Vec<_> = (0..64).map(|_| connect(0)).collect();
    let mut patient = connect(OURS);
    let many = request("/healthz").repeat(EACH);
    for stream in &mut greedy {
        stream.write_all(many.as_bytes()).await.unwrap();
    }
    patient
        .write_all(request("/healthz").as_bytes())
        .await
        .unwrap();
    assert_ne!(patient.read(&mut [0; 1_024]).await.unwrap(), 0);
    let mut answered = 0;
    for stream in &mut greedy {
        let mut came = vec![0; 1 << 20];
        let read = tokio::time::timeout(Duration::ZERO, stream.read(&mut came)).await;
        let came = String::from_utf8_lossy(&came[..read.map_or(0, Result::unwrap)]);
        answered += came.matches("HTTP/1.1 200 ").count();
    }
    assert!(answered <= 3 * 64, "{answered} of {}", 64 * EACH);
    // All requests are answered in the end.
    for stream in &mut greedy {
        stream
            .write_all(b"GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut rest = vec![];
        stream.read_to_end(&mut rest).await.unwrap();
        assert!(String::from_utf8_lossy(&rest).contains(" 404 "));
    }
}

#[tokio::test(start_paused = true)]
async fn at_shutdown_idle_connections_close_and_busy_ones_get_their_answer() {
    let mut silent = connect();
    let mut idle = connect();
    assert_eq!(idle.get("/healthz").await, 200);
    let mut busy = connect_as(
        OURS,
        Play::Fail {
            kind: FaultKind::Connect,
            after: secs(3),
        },
    );
    busy.send(&request("/v1/profiles/research/token?max_wait=1"))
        .await;
    tokio::task::yield_now().await;
    let mut drains = [&silent, &idle, &busy].map(Client::stop_the_daemon);
    assert_about(idle.ended().await, Duration::ZERO);
    assert_about(silent.ended().await, FIRST_REQUEST);
    assert_eq!(busy.answer().await.0, 504);
    assert_about(busy.ended().await, secs(1));
    for drain in &mut drains {
        assert_eq!(drain.await.unwrap(), 0);
    }
    assert_about(busy.start.elapsed(), secs(1));
}
