//! Memory of requests and answers, on a paused clock over an in-memory pipe.

use super::*;
use hyper::body::Bytes;

use crate::daemon::serve::memory::{FREE, SHARE};
use crate::wire::MAX_FRAME;

/// Connects as `uid` to this server, with buffers of `room` bytes in each direction.
fn connect_to(server: &Arc<Server>, uid: u32, room: usize) -> DuplexStream {
    let (place, leave) = server.connections.admit(uid).unwrap();
    let (ours, theirs) = tokio::io::duplex(room);
    let caller = Caller {
        uid,
        gid: uid,
        groups: Box::default(),
    };
    let peer = Peer { caller, pid: None };
    tokio::spawn(Arc::clone(server).connection(ours, peer, SocketKind::Tokens, place, leave));
    theirs
}

/// Sends a companion's request without its last byte.
async fn hold_body(server: &Arc<Server>, length: usize) -> DuplexStream {
    let mut client = connect_to(server, OURS, 2 * MAX_FRAME);
    let head =
        format!("POST /v1/helper HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&vec![1; length - 1]).await.unwrap();
    client
}

/// Returns what is sent within a second. No body of these tests takes that long to arrive.
async fn at_once(client: &mut DuplexStream) -> String {
    let mut answer = vec![0; 4_096];
    let read = tokio::time::timeout(secs(1), client.read(&mut answer)).await;
    let length = read.map_or(0, |read| read.unwrap());
    String::from_utf8(answer[..length].to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn bodies_beyond_the_memory_share_of_a_user_are_refused_immediately() {
    let (server, _close) = daemon(OURS, Play::Hang);
    let mut held = vec![];
    for _ in 0..3 {
        held.push(hold_body(&server, MAX_FRAME).await);
    }
    for client in &mut held {
        assert_eq!(at_once(client).await, "", "its body is not complete");
    }
    let mut refused = hold_body(&server, MAX_FRAME).await;
    let answer = at_once(&mut refused).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\"code\":\"unavailable\""), "{answer}");
    assert!(answer.contains("retry-after: 1"), "{answer}");

    let mut small = hold_body(&server, 1_000).await;
    small.write_all(&[1]).await.unwrap();
    let answer = at_once(&mut small).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "it is read: {answer}");

    held.truncate(2);
    drop((refused, small));
    tokio::time::sleep(Duration::from_millis(10)).await;
    let mut next = hold_body(&server, MAX_FRAME).await;
    next.write_all(&[1]).await.unwrap();
    let answer = at_once(&mut next).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "it is read: {answer}");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_request_has_released_its_body() {
    let (server, _close) = daemon(OURS, Play::Hang);
    let report = format!("{{\"generation\":1{}}}", " ".repeat(12_000));
    let mut waiting = vec![];
    for _ in 0..8 {
        let mut client = connect_to(&server, OURS, MAX_FRAME);
        let head = format!(
            "POST /v1/profiles/research/token/reject?max_wait=60 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{report}",
            report.len()
        );
        client.write_all(head.as_bytes()).await.unwrap();
        waiting.push(client);
    }
    for client in &mut waiting {
        assert_eq!(at_once(client).await, "", "it waits");
    }
    let whole = server.memory.account(OURS).take(SHARE);
    assert!(whole.is_some());
}

/// Sends a request on a connection whose pipe holds almost nothing of the answer, so that the rest stays with the
/// server.
async fn leave_unread(server: &Arc<Server>, request: &str) -> DuplexStream {
    let mut client = connect_to(server, OURS, 64);
    client.write_all(request.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    client
}

/// Returns how many bytes of our user's answers are charged.
fn charged(server: &Server) -> usize {
    let account = server.memory.account(OURS);
    let is_free = |size: &usize| account.take(*size).is_some();
    let most = SHARE + FREE;
    most - (0..=most).rev().find(is_free).unwrap()
}

#[tokio::test(start_paused = true)]
async fn unread_answers_are_charged_until_they_are_written_or_dropped() {
    let (server, _close) = daemon(OURS, Play::Hang);
    // The same size as a list of profiles with a long fault.
    let long = Bytes::from(vec![b'a'; 10_000]);
    let account = server.memory.account(OURS);
    let held = account.hold(long.clone()).unwrap();
    assert_eq!(held, long);
    assert_eq!(charged(&server), 10_000 - FREE);
    let rest = held.slice(9_999..);
    drop(held);
    assert_eq!(
        charged(&server),
        10_000 - FREE,
        "its last byte is not written"
    );
    drop(rest);
    assert_eq!(charged(&server), 0);
    let short = account.hold(Bytes::from(vec![b'a'; FREE])).unwrap();
    assert_eq!(charged(&server), 0);
    drop(short);
    // One answer may exceed a share, such as a list of thousands of profiles.
    let larger = Bytes::from(vec![b'a'; 2 * SHARE]);
    let first = account.hold(larger.clone()).unwrap();
    assert!(account.hold(larger.clone()).is_none());
    drop(first);
    assert!(account.hold(larger).is_some());
}

#[tokio::test(start_paused = true)]
async fn token_answers_and_the_openapi_document_are_shared_and_not_charged() {
    let (server, _close) = daemon(
        OURS,
        Play::Grant {
            secs: 3_600,
            after: Duration::ZERO,
        },
    );
    let mut clients = vec![];
    for target in [
        "/v1/profiles/research/token",
        "/v1/profiles/research/watch",
        "/v1/openapi.json",
    ] {
        clients.push(leave_unread(&server, &request(target)).await);
        assert_eq!(charged(&server), 0, "{target}");
    }
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_answered_however_they_are_split() {
    let (server, _close) = daemon(OURS, Play::Hang);
    let requests = [
        request("/healthz"),
        "POST /v1/helper HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n\r\n\r\n\r\n\r\n"
            .to_owned(),
        request("/nothing"),
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n\r\n\r\n".to_owned(),
        "\r\n".to_owned() + &request("/healthz"),
    ]
    .concat();
    for cut in 0..=requests.len() {
        let mut client = connect_to(&server, OURS, 8_192);
        let (first, second) = requests.split_at(cut);
        client.write_all(first.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        client.write_all(second.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answers = String::new();
        client.read_to_string(&mut answers).await.unwrap();
        let statuses: Vec<_> = answers
            .split("HTTP/1.1 ")
            .skip(1)
            .map(|answer| &answer[..3])
            .collect();
        assert_eq!(statuses, ["200", "400", "404", "200", "200"], "{cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_do_not_accumulate_for_a_peer_that_does_not_read() {
    let (server, _close) = daemon(OURS, Play::Hang);
    let mut client = connect_to(&server, OURS, 1_024);
    let requests = "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000);
    let sent = tokio::time::timeout(secs(1), client.write_all(requests.as_bytes())).await;
    assert!(sent.is_err(), "it reads no more than it has answered");
}
