use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::super::{Http, IssuerResponse, Request, Settings};
use super::*;
use crate::config::BaseUrl;
use crate::fault::{Fault, FaultKind};

/// The reaction of a server to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Play {
    Answer,
    /// It closes the connection before any byte of an answer.
    Close,
    /// It resets the connection.
    Reset,
}

/// A server that keeps connections open.
struct Server {
    url: String,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    /// Receives a message when a connection ends.
    ended: mpsc::UnboundedReceiver<()>,
}

impl Server {
    /// Starts a server. `play` gives its reaction to request n of connection m, both counted from 0.
    async fn start(play: fn(usize, usize) -> Play) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (end, ended) = mpsc::unbounded_channel();
        let server = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            connections: Arc::default(),
            requests: Arc::default(),
            ended,
        };
        let (connections, requests) = (server.connections.clone(), server.requests.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let connection = connections.fetch_add(1, Ordering::SeqCst);
                let (requests, end) = (requests.clone(), end.clone());
                tokio::spawn(async move {
                    serve(stream, &requests, |request| play(connection, request)).await;
                    // The test may have ended.
                    let _ = end.send(());
                });
            }
        });
        server
    }

    fn counts(&self) -> (usize, usize) {
        let [connections, requests] = [&self.connections, &self.requests];
        (
            connections.load(Ordering::SeqCst),
            requests.load(Ordering::SeqCst),
        )
    }

    /// Makes the clients of this many profiles.
    fn profiles<const N: usize>(&self) -> [Http; N] {
        let origin = BaseUrl::parse(&self.url).unwrap().origin();
        std::array::from_fn(|_| Http::new(origin.clone(), Settings::default()))
    }
}

async fn serve(mut stream: TcpStream, requests: &AtomicUsize, play: impl Fn(usize) -> Play) {
    for number in 0.. {
        let mut request = vec![];
        while !request.ends_with(b"canary") {
            match stream.read_buf(&mut request).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        requests.fetch_add(1, Ordering::SeqCst);
        let answer =
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
        match play(number) {
            Play::Answer => stream.write_all(answer).await.unwrap(),
            Play::Close => return,
            Play::Reset => return stream.set_zero_linger().unwrap(),
        }
    }
}

async fn post(http: &Http) -> Result<IssuerResponse, Fault> {
    let request = Request {
        url: http.origin().join("/token"),
        authorization: None,
        post: Some(("text/plain", Zeroizing::new(b"canary".to_vec()))),
    };
    http.send(request, None).await
}

#[tokio::test]
async fn profiles_of_one_issuer_reuse_its_connections() {
    let server = Server::start(|_, _| Play::Answer).await;
    let profiles = server.profiles::<5>();
    for http in profiles.iter().cycle().take(50) {
        assert_eq!(post(http).await.unwrap().status, 200);
    }
    assert_eq!(server.counts(), (1, 50));
}

#[tokio::test]
async fn profiles_that_start_together_share_connections() {
    let server = Server::start(|_, _| Play::Answer).await;
    let profiles = server.profiles::<20>();
    let together = profiles.map(|http| {
        tokio::spawn(async move {
            post(&http).await.unwrap();
            http
        })
    });
    let mut profiles = vec![];
    for one in together {
        profiles.push(one.await.unwrap());
    }
    let (first, _) = server.counts();
    for http in &profiles {
        post(http).await.unwrap();
    }
    assert_eq!(server.counts(), (first, 40), "those that were left idle");
}

#[tokio::test]
async fn a_profile_with_its_own_issuer_leaves_no_connection_open() {
    let mut server = Server::start(|_, _| Play::Answer).await;
    let [http] = server.profiles();
    for _ in 0..3 {
        post(&http).await.unwrap();
        server.ended.recv().await.unwrap();
    }
    assert_eq!(server.counts(), (3, 3));
}

#[tokio::test]
async fn a_connection_closed_while_idle_does_not_fail_the_attempt() {
    // The first connection ends with its second request.
    for play in [
        (|connection, request| match (connection, request) {
            (0, 1) => Play::Close,
            _ => Play::Answer,
        }) as fn(usize, usize) -> Play,
        |connection, request| match (connection, request) {
            (0, 1) => Play::Reset,
            _ => Play::Answer,
        },
    ] {
        let server = Server::start(play).await;
        let [a, b] = server.profiles();
        for http in [&a, &b] {
            assert_eq!(post(http).await.unwrap().status, 200);
        }
        assert_eq!(server.counts(), (2, 3));
    }
}

#[tokio::test]
async fn a_new_connection_closed_without_a_response_fails_immediately() {
    for play in [(|_, _| Play::Close) as fn(usize, usize) -> Play, |_, _| {
        Play::Reset
    }] {
        let server = Server::start(play).await;
        let [a, _b] = server.profiles();
        let fault = post(&a).await.map(|_| ()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Reset, "{fault:?}");
        assert_eq!(server.counts(), (1, 1));
    }
}

/// This test uses real time, because a paused clock does not wait for sockets.
#[tokio::test]
async fn an_idle_connection_is_closed_within_five_seconds() {
    let mut server = Server::start(|_, _| Play::Answer).await;
    let [a, _b] = server.profiles();
    post(&a).await.unwrap();
    let closed = tokio::time::timeout(Duration::from_secs(6), server.ended.recv());
    closed.await.unwrap().unwrap();
}

#[test]
fn idle_connections_do_not_exceed_the_limit_on_concurrent_attempts() {
    for (attempts, origins) in [(0, 0), (1, 0), (8, 1), (41, 5), (128, 16), (1_000, 16)] {
        assert_eq!(origins_for(attempts), origins, "{attempts}");
    }
}
