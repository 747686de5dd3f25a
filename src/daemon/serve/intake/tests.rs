use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::super::memory::{Memory, SHARE};
use super::*;

const LONGEST: usize = 16 * 1024;
const USER: u32 = 1_000;

/// Returns an intake, its framing, the peer's end, and the memory budget.
fn pair(room: usize) -> (HeadBuffer<DuplexStream>, Framing, DuplexStream, Arc<Memory>) {
    let (ours, theirs) = tokio::io::duplex(room);
    let memory = Memory::new(0);
    let framing = Framing::default();
    let intake = HeadBuffer::new(ours, memory.account(USER), framing.clone(), LONGEST);
    (intake, framing, theirs, memory)
}

/// Returns the bytes of one read, or `None` if it has to wait.
async fn read(intake: &mut HeadBuffer<DuplexStream>) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 8 * 1024];
    let read = tokio::time::timeout(std::time::Duration::from_millis(1), intake.read(&mut bytes));
    let length = read.await.ok()?.unwrap();
    bytes.truncate(length);
    Some(bytes)
}

#[tokio::test(start_paused = true)]
async fn each_request_head_is_passed_on_complete_and_separately() {
    let (mut intake, _, mut peer, _) = pair(LONGEST);
    for byte in b"\r\n\nGET /a HTTP/1.1\r\nHost: x\r\n\r" {
        peer.write_all(&[*byte]).await.unwrap();
        assert_eq!(read(&mut intake).await, None);
    }
    peer.write_all(b"\nGET /b HTTP/1.0\n\n\r\n\r\nGET /c")
        .await
        .unwrap();
    for head in ["GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "GET /b HTTP/1.0\n\n"] {
        assert_eq!(read(&mut intake).await.unwrap(), head.as_bytes());
    }
    assert_eq!(read(&mut intake).await, None);
    drop(peer);
    assert_eq!(
        read(&mut intake).await.unwrap(),
        b"GET /c",
        "the rest of it will not come"
    );
    assert_eq!(read(&mut intake).await.unwrap(), b"");
}

#[tokio::test(start_paused = true)]
async fn a_request_body_is_passed_on_up_to_its_content_length() {
    let (mut intake, framing, mut peer, _) = pair(LONGEST);
    let head = b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n";
    peer.write_all(&[head, &b"abc\r\n\r\n"[..]].concat())
        .await
        .unwrap();
    assert_eq!(read(&mut intake).await.unwrap(), head);
    framing.expect_body(Some(9));
    assert_eq!(read(&mut intake).await.unwrap(), b"abc\r\n\r\n");
    peer.write_all(b"deGET /b HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(read(&mut intake).await.unwrap(), b"de");
    assert_eq!(read(&mut intake).await.unwrap(), b"GET /b HTTP/1.1\r\n\r\n");
    framing.expect_body(None);
    peer.write_all(b"\r\n5").await.unwrap();
    assert_eq!(
        read(&mut intake).await.unwrap(),
        b"\r\n5",
        "it ends at an unknown place"
    );
}

#[tokio::test(start_paused = true)]
async fn bytes_that_cannot_be_a_request_head_are_passed_on_immediately() {
    for bytes in [&b"\x16\x03\x01"[..], b" GET", b"{\"a\":1}"] {
        let (mut intake, _, mut peer, _) = pair(LONGEST);
        peer.write_all(bytes).await.unwrap();
        assert_eq!(read(&mut intake).await.unwrap(), bytes);
    }
    let (mut intake, _, mut peer, _) = pair(2 * LONGEST);
    peer.write_all(&[b'a'; LONGEST - 1]).await.unwrap();
    assert_eq!(read(&mut intake).await, None);
    peer.write_all(b"a").await.unwrap();
    assert_eq!(read(&mut intake).await.unwrap(), [b'a'; 8 * 1024]);
    assert_eq!(read(&mut intake).await.unwrap(), [b'a'; 8 * 1024]);
}

#[tokio::test(start_paused = true)]
async fn some_line_ends_before_a_request_are_dropped_and_many_end_the_connection() {
    let (mut intake, _, mut peer, _) = pair(1 << 20);
    for _ in 0..3 {
        let most = b"\r\n".repeat(MOST_LINE_ENDS / 2);
        peer.write_all(&most).await.unwrap();
        assert_eq!(read(&mut intake).await, None);
        assert_eq!(intake.held.capacity(), 0);
        peer.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert_eq!(read(&mut intake).await.unwrap(), b"GET / HTTP/1.1\r\n\r\n");
    }
    peer.write_all(&b"\n".repeat(MOST_LINE_ENDS + 1))
        .await
        .unwrap();
    let ended = intake.read(&mut [0; 100]).await.unwrap_err();
    assert_eq!(ended.kind(), io::ErrorKind::InvalidData);
}

#[tokio::test(start_paused = true)]
async fn a_long_request_head_is_refused_when_memory_is_exhausted() {
    let (mut intake, _, mut peer, memory) = pair(LONGEST);
    let account = memory.account(USER);
    peer.write_all(&[b'a'; 1_024]).await.unwrap();
    assert_eq!(read(&mut intake).await, None);
    let all = account.take(SHARE + FREE).expect("1 KiB is free");
    peer.write_all(b"a").await.unwrap();
    let refused = intake.read(&mut [0; 100]).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory);
    drop((intake, all));
    let mut answer = String::new();
    peer.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains(&format!("Content-Length: {}\r\n", body.len())),
        "{head}"
    );

    let (mut intake, _, mut peer, memory) = pair(LONGEST);
    let account = memory.account(USER);
    peer.write_all(&[b'a'; 9_000]).await.unwrap();
    assert_eq!(read(&mut intake).await, None);
    assert!(
        account
            .take(SHARE + FREE - (9_000 - FREE) - GROWN)
            .is_some()
    );
    assert!(account.take(SHARE).is_none());
    peer.write_all(b"\r\n\r\n").await.unwrap();
    assert_eq!(read(&mut intake).await.unwrap().len(), 8 * 1024);
    assert_eq!(read(&mut intake).await.unwrap().len(), 812);
    assert!(account.take(SHARE - GROWN + FREE).is_some());
    assert!(
        account.take(SHARE - GROWN + FREE + 1).is_none(),
        "hyper's buffer has grown"
    );
    drop(intake);
    assert!(account.take(SHARE + FREE).is_some());
}
