//! How a server ends when the daemon stops, on a paused clock over a pipe and over real sockets.

use std::os::unix::net::UnixListener;
use std::path::Path;

use tokio::net::UnixStream;

use super::*;
use crate::daemon::shutdown::{Stop, shutdown};

#[tokio::test(start_paused = true)]
async fn an_unfinished_request_is_closed_at_the_drain_deadline() {
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
async fn an_incomplete_request_is_closed_at_its_timeout_or_the_drain_deadline() {
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

/// Returns everything until the connection ends.
async fn to_the_end(client: &mut Client) -> String {
    let mut all = vec![];
    client.from.read_to_end(&mut all).await.unwrap();
    String::from_utf8(all).unwrap().to_ascii_lowercase()
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_has_250_ms_for_a_request_after_the_shutdown() {
    for (text, sent, answered, ends) in [
        (
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            0,
            true,
            0,
        ),
        (
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            249,
            true,
            249,
        ),
        ("GET /healthz HTTP/1.0\r\n\r\n", 249, true, 249),
        // Line ends do not count as the beginning of a request.
        ("\r\n", 100, false, 250),
        (
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            251,
            false,
            250,
        ),
    ] {
        let mut client = connect();
        tokio::time::sleep(secs(1)).await;
        let stopped = now();
        let drain = client.stop_the_daemon();
        tokio::time::sleep(ms(sent)).await;
        // After the 250 ms nothing reads from the pipe any more.
        let _: Result<_, _> = client.to.write_all(text.as_bytes()).await;
        let all = to_the_end(&mut client).await;
        assert_eq!(
            all.starts_with("http/1.1 200 ") || all.starts_with("http/1.0 200 "),
            answered,
            "{sent}: {all}"
        );
        assert_eq!(all.contains("\r\nconnection: close\r\n"), answered, "{all}");
        assert_eq!(drain.await.unwrap(), 0);
        assert_about(stopped.elapsed(), ms(ends.max(sent)));
    }
}

#[tokio::test(start_paused = true)]
async fn every_silent_connection_is_closed_250_ms_after_the_shutdown() {
    let (server, close) = daemon(OURS, Play::Hang);
    let mut early = connect_to(&server, close.clone(), OURS);
    let drain = early.stop_the_daemon();
    let stopped = now();
    tokio::time::sleep(ms(200)).await;
    // The connection was accepted at the last moment, and its task starts late.
    let mut late = connect_to(&server, close, OURS);
    for client in [&mut early, &mut late] {
        assert_eq!(to_the_end(client).await, "");
        assert_about(stopped.elapsed(), ms(250));
    }
    assert_eq!(drain.await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_started_within_250_ms_of_the_shutdown_is_answered() {
    let mut client = connect();
    let drain = client.stop_the_daemon();
    tokio::time::sleep(ms(200)).await;
    client.send("GET /healthz HTTP/1.1\r\nHost: lo").await;
    tokio::time::sleep(secs(1)).await;
    client.send("calhost\r\n\r\n").await;
    let all = to_the_end(&mut client).await;
    assert!(
        all.starts_with("http/1.1 200 ") && all.contains("\r\nconnection: close\r\n"),
        "{all}"
    );
    assert_eq!(drain.await.unwrap(), 0);
    assert_about(client.start.elapsed(), ms(1_200));
}

#[tokio::test(start_paused = true)]
async fn an_answer_produced_during_the_drain_has_connection_close() {
    let mut client = connect_as(OURS, Play::Hang);
    assert_eq!(client.get("/healthz").await, 200);
    client
        .send(&request("/v1/profiles/research/token?max_wait=2"))
        .await;
    tokio::time::sleep(secs(1)).await;
    let drain = client.stop_the_daemon();
    let all = to_the_end(&mut client).await;
    assert!(
        all.starts_with("http/1.1 504 ") && all.contains("\r\nconnection: close\r\n"),
        "{all}"
    );
    assert_eq!(drain.await.unwrap(), 0);
    assert_about(client.start.elapsed(), secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_request_sent_on_a_kept_connection_at_shutdown_is_answered() {
    let mut client = connect();
    assert_eq!(client.get("/healthz").await, 200);
    // The order comes first, before the connection's task runs.
    let drain = client.stop_the_daemon();
    client.send(&request("/healthz")).await;
    let all = to_the_end(&mut client).await;
    assert!(
        all.starts_with("http/1.1 200 ") && all.contains("\r\nconnection: close\r\n"),
        "{all}"
    );
    assert_eq!(drain.await.unwrap(), 0);
    assert_about(client.start.elapsed(), Duration::ZERO);
}

/// A server on a real socket.
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
    let run = Arc::clone(&server).run(
        listener,
        SocketKind::Tokens,
        std::future::pending(),
        shutdown,
    );
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

/// Returns everything until the end of the connection.
async fn rest(stream: &mut UnixStream) -> String {
    let mut text = vec![];
    stream.read_to_end(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

/// Waits for the first bytes of an answer.
async fn answered(stream: &UnixStream) {
    stream.readable().await.unwrap();
}

#[tokio::test]
async fn after_shutdown_open_connections_may_ask_and_new_ones_stay_in_the_backlog() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (server, _close) = daemon(rustix::process::geteuid().as_raw(), Play::Hang);
    let passed = UnixListener::bind(folder.join("s")).unwrap();
    let acceptor = || Acceptor::new(passed.try_clone().unwrap()).unwrap();
    let run = |server: Arc<Server>| {
        let (stop, shutdown) = shutdown(GRACE);
        let run = server.run(
            acceptor(),
            SocketKind::Tokens,
            std::future::pending(),
            shutdown,
        );
        (stop, tokio::spawn(run))
    };
    let (stop, running) = run(Arc::clone(&server));
    let mut silent = UnixStream::connect(folder.join("s")).await.unwrap();
    // Connections are accepted in order, so the earlier one has been accepted as well.
    answered(&ask(folder, "/healthz").await).await;
    stop.order();
    tokio::task::yield_now().await;
    let mut later = UnixStream::connect(folder.join("s")).await.unwrap();
    silent
        .write_all(request("/healthz").as_bytes())
        .await
        .unwrap();
    let answer = rest(&mut silent).await;
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert_eq!(running.await.unwrap(), 0);

    let (server, _close) = daemon(rustix::process::geteuid().as_raw(), Play::Hang);
    let (stop, running) = run(server);
    later
        .write_all(request("/healthz").as_bytes())
        .await
        .unwrap();
    answered(&later).await;
    stop.order();
    assert!(rest(&mut later).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(running.await.unwrap(), 0);
}

const WAITING: &str = "/v1/profiles/research/token?max_wait=60";

#[tokio::test]
async fn on_real_sockets_a_drain_closes_idle_connections_and_answers_requests() {
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
async fn on_real_sockets_the_drain_deadline_closes_all_connections() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let listening = listen(folder, Play::Hang, Duration::from_millis(20));
    let mut waiting = ask(folder, WAITING).await;
    let mut half = UnixStream::connect(folder.join("s")).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let idle = ask(folder, "/healthz").await;
    // Connections are accepted in order, so the earlier ones have been accepted as well.
    answered(&idle).await;
    listening.stop();
    assert_eq!(rest(&mut waiting).await, "");
    assert_eq!(rest(&mut half).await, "");
    assert_eq!(listening.run.await.unwrap(), 2);
}

#[tokio::test]
async fn a_shut_down_listener_does_not_prevent_the_server_from_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _close) = daemon(rustix::process::geteuid().as_raw(), Play::Hang);
    let bound = UnixListener::bind(folder.path().join("s")).unwrap();
    let listener = Acceptor::new(bound.try_clone().unwrap()).unwrap();
    let (stop, shutdown) = shutdown(GRACE);
    let run = server.run(
        listener,
        SocketKind::Tokens,
        std::future::pending(),
        shutdown,
    );
    let run = tokio::spawn(run);
    rustix::net::shutdown(&bound, rustix::net::Shutdown::Both).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!run.is_finished());
    stop.order();
    assert_eq!(run.await.unwrap(), 0);
}
