//! How a server ends when the daemon stops: on a paused clock over a pipe, and over real sockets.

use std::os::unix::net::UnixListener;
use std::path::Path;

use tokio::net::UnixStream;

use super::*;
use crate::daemon::shutdown::{Stop, shutdown};

#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_end_is_closed_at_the_deadline() {
    let mut client = connect_as(OURS, Play::Hang);
    client
        .send(&request("/v1/profiles/research/token?max_wait=60"))
        .await;
    tokio::task::yield_now().await;
    let drain = client.stop_the_daemon();
    assert_about(client.ended().await, GRACE);
    assert_eq!(drain.await.unwrap(), 1);
    assert_about(client.start.elapsed(), GRACE);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_closed_at_the_deadline() {
    let mut client = connect();
    let many = request("/v1/profiles").repeat(1_000);
    let sent = tokio::time::timeout(secs(1), client.to.write_all(many.as_bytes())).await;
    assert!(sent.is_err(), "the pipe has no room left");
    assert_eq!(client.stop_the_daemon().await.unwrap(), 1);
    assert_about(client.start.elapsed(), secs(1) + GRACE);
}

#[tokio::test(start_paused = true)]
async fn half_a_request_is_closed_after_its_own_time_or_at_the_deadline() {
    for (half, ends) in [
        ("GET /healthz HTTP/1.1\r\nHost: lo", secs(2)),
        (
            "POST /v1/helper HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf",
            GRACE,
        ),
    ] {
        let mut client = connect();
        client.send(half).await;
        tokio::task::yield_now().await;
        client.stop_the_daemon().await.unwrap();
        assert_about(client.start.elapsed(), ends);
    }
}

/// A server at a real socket in `folder`.
struct Listening {
    server: Arc<Server>,
    close: watch::Sender<bool>,
    stop: Stop,
    run: JoinHandle<usize>,
}

fn listen(folder: &Path, scene: Play, grace: Duration) -> Listening {
    let (server, close) = daemon(rustix::process::geteuid().as_raw(), scene);
    let listener = UnixListener::bind(folder.join("s")).unwrap();
    let listener = Acceptor::new(listener).unwrap();
    let (stop, shutdown) = shutdown(grace);
    let run = Arc::clone(&server).run(listener, Door::Tokens, std::future::pending(), shutdown);
    Listening {
        server,
        close,
        stop,
        run: tokio::spawn(run),
    }
}

impl Listening {
    fn stop(&self) {
        self.close.send_replace(true);
        self.stop.order();
    }
}

async fn ask(folder: &Path, target: &str) -> UnixStream {
    let mut stream = UnixStream::connect(folder.join("s")).await.unwrap();
    stream.write_all(request(target).as_bytes()).await.unwrap();
    stream
}

/// What comes until the end of the connection.
async fn rest(stream: &mut UnixStream) -> String {
    let mut text = vec![];
    stream.read_to_end(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

/// Waits until the first bytes of an answer are there.
async fn answered(stream: &UnixStream) {
    stream.readable().await.unwrap();
}

const WAITING: &str = "/v1/profiles/research/token?max_wait=60";

#[tokio::test]
async fn over_sockets_idle_connections_and_watches_end_at_once_and_a_request_gets_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let listening = listen(folder, Play::Hang, secs(60));
    let mut busy = ask(folder, WAITING).await;
    let mut watch = ask(folder, "/v1/profiles/research/watch").await;
    answered(&watch).await;
    let mut idle = ask(folder, "/healthz").await;
    answered(&idle).await;
    listening.stop();
    assert!(rest(&mut idle).await.starts_with("HTTP/1.1 200 "));
    assert!(rest(&mut watch).await.ends_with("0\r\n\r\n"));
    assert!(!listening.run.is_finished(), "a request is being answered");
    let refused = UnixStream::connect(folder.join("s")).await;
    assert!(refused.is_err(), "nothing is accepted any more");
    let grant = Play::Grant {
        secs: 3_600,
        after: Duration::ZERO,
    };
    let (handle, _) = keep(&ScriptedIssuer::new(&[grant]), &MemoryStore::new(Some("s")));
    let old = listening.server.service.roster.all();
    listening.server.service.roster.replace(profiles(handle));
    old.values().for_each(|entry| entry.handle.retire());
    let answer = rest(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(listening.run.await.unwrap(), 0);
}

#[tokio::test]
async fn over_sockets_what_has_not_ended_at_the_deadline_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let listening = listen(folder, Play::Hang, Duration::from_millis(20));
    let mut waiting = ask(folder, WAITING).await;
    let mut half = UnixStream::connect(folder.join("s")).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let idle = ask(folder, "/healthz").await;
    // Connections are accepted in their order.
    answered(&idle).await;
    listening.stop();
    assert_eq!(rest(&mut waiting).await, "");
    assert_eq!(rest(&mut half).await, "");
    assert_eq!(listening.run.await.unwrap(), 2);
}

#[tokio::test]
async fn a_listener_that_another_process_shut_down_stops_the_server_no_less() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _close) = daemon(rustix::process::geteuid().as_raw(), Play::Hang);
    let bound = UnixListener::bind(folder.path().join("s")).unwrap();
    let listener = Acceptor::new(bound.try_clone().unwrap()).unwrap();
    let (stop, shutdown) = shutdown(GRACE);
    let run = server.run(listener, Door::Tokens, std::future::pending(), shutdown);
    let run = tokio::spawn(run);
    rustix::net::shutdown(&bound, rustix::net::Shutdown::Both).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!run.is_finished());
    stop.order();
    assert_eq!(run.await.unwrap(), 0);
}
