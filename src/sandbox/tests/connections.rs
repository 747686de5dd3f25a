//! Faults of the connection: their effect on bytes and sockets.

use super::*;

/// Runs the sandbox until `done`.
async fn until(done: impl Fn() -> bool) {
    let wait = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}

fn assert_silent(stream: &TcpStream) {
    let kind = stream.try_read(&mut [0; 1]).unwrap_err().kind();
    assert_eq!(kind, io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn refuse_closes_port_and_connections_and_the_port_reopens_later() {
    let sandbox = start(Line::V2_24).await;
    for _ in 0..20 {
        let mut kept = open_v2(&sandbox).await;
        kept.read_exact(&mut [0; 64]).await.unwrap();
        sandbox.set_fault(Some(Fault::Refuse)).await.unwrap();
        let refused = connect(&sandbox.url(), "").await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let _ = read_all(&mut kept).await; // ends with or without an error
        assert_eq!(sandbox.stats().open_connections, 0);
        sandbox.set_fault(None).await.unwrap();
        assert_eq!(v2(&sandbox).await.status, 200);
    }
}

#[tokio::test]
async fn hang_connect_leaves_connects_pending_and_the_port_reopens_later() {
    let sandbox = start(Line::V2_24).await;
    for _ in 0..3 {
        let mut kept = open_v2(&sandbox).await;
        kept.read_exact(&mut [0; 64]).await.unwrap();
        sandbox.set_fault(Some(Fault::HangConnect)).await.unwrap();
        let url = sandbox.url();
        let hung = tokio::time::timeout(Duration::from_millis(200), connect(&url, ""));
        assert!(hung.await.is_err());
        let _ = read_all(&mut kept).await; // ends with or without an error
        assert_eq!(sandbox.stats().open_connections, 0);
        sandbox.set_fault(Some(Fault::Refuse)).await.unwrap();
        let refused = connect(&url, "").await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        sandbox.set_fault(Some(Fault::HangConnect)).await.unwrap();
        sandbox.set_fault(None).await.unwrap();
        assert_eq!(v2(&sandbox).await.status, 200);
    }
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn the_port_stays_reserved_while_connections_are_refused() {
    let sandbox = broken(Line::V2_24, "refuse").await;
    let address = sandbox
        .url()
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap();
    // without SO_REUSEADDR, as when the kernel chooses free ports
    let other = tokio::net::TcpSocket::new_v4().unwrap();
    assert_eq!(
        other.bind(address).unwrap_err().kind(),
        io::ErrorKind::AddrInUse
    );
}

#[tokio::test]
async fn hang_never_answers_a_request_even_after_the_fault_ends() {
    let sandbox = start(Line::V2_24).await;
    sandbox.set_fault(Some(Fault::Hang)).await.unwrap();
    let hung = open_v2(&sandbox).await;
    until(|| sandbox.stats().faulted == 1).await;
    sandbox.set_fault(None).await.unwrap();
    assert_eq!(v2(&sandbox).await.status, 200);
    assert_silent(&hung);
    drop(hung);
    until(|| sandbox.stats().open_connections == 0).await;
    assert_eq!(sandbox.stats().granted, 1);
}

#[tokio::test]
async fn hang_headers_and_hang_body_stop_in_the_middle() {
    for (fault, whole_head) in [("hang-headers", false), ("hang-body", true)] {
        let sandbox = broken(Line::V2_24, fault).await;
        let mut hung = open_v2(&sandbox).await;
        let mut raw = vec![0; 8_192];
        let mut len = hung.read(&mut raw).await.unwrap();
        sandbox.set_fault(None).await.unwrap();
        assert_eq!(v2(&sandbox).await.status, 200);
        len += hung.try_read(&mut raw[len..]).unwrap_or_default();
        let text = String::from_utf8_lossy(&raw[..len]);
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert_eq!(text.contains("\r\n\r\n"), whole_head, "{text}");
        assert_eq!(text.contains("access_token"), whole_head, "{text}");
        assert!(!text.contains("token_type"), "{text}");
        assert_eq!(text.contains("connection: close"), whole_head, "{text}");
        assert_silent(&hung);
    }
}

#[tokio::test]
async fn reset_sends_rst_after_half_of_the_body_or_before_any_byte() {
    for (fault, granted) in [("reset", 1), ("reset-early", 0)] {
        let sandbox = broken(Line::V2_24, fault).await;
        let (raw, end) = read_all(&mut open_v2(&sandbox).await).await;
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(sandbox.stats().granted, granted);
        if granted == 0 {
            assert!(raw.is_empty());
        } else {
            let reply = Reply::parse(&raw);
            let announced: usize = reply.header("content-length").unwrap().parse().unwrap();
            assert_eq!(reply.body.len(), announced / 2);
        }
    }
}

#[tokio::test]
async fn slow_and_drip_finally_give_the_correct_response() {
    for fault in ["slow:0.01", "drip:0"] {
        let sandbox = broken(Line::V2_24, fault).await;
        let reply = v2(&sandbox).await;
        assert_eq!(reply.status, 200);
        assert_eq!(probe(&sandbox, &reply.token()).await.status, 200);
        assert!(reply.header("date").is_some());
        let stats = sandbox.stats();
        assert_eq!((stats.granted, stats.faulted), (1, 1));
    }
    // each byte is sent separately: the first ones are those of the status line
    let sandbox = broken(Line::V2_24, "drip:1").await;
    let mut dripping = open_v2(&sandbox).await;
    let mut start = [0; 8];
    dripping.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1");
}

#[tokio::test]
async fn huge_sends_an_endless_body_until_the_client_closes() {
    let sandbox = broken(Line::V2_24, "huge").await;
    let mut flood = open_v2(&sandbox).await;
    let mut start = vec![0; 4 << 20];
    flood.read_exact(&mut start).await.unwrap();
    let head = String::from_utf8_lossy(&start[..80]);
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && !head.contains("ength"),
        "{head}"
    );
    drop(flood);
    until(|| sandbox.stats().open_connections == 0).await;
}

#[tokio::test]
async fn early_hints_are_sent_endlessly_without_a_final_response() {
    let sandbox = broken(Line::V2_24, "early-hints").await;
    let mut flood = open_v2(&sandbox).await;
    let mut start = vec![0; 1 << 20];
    flood.read_exact(&mut start).await.unwrap();
    let text = String::from_utf8_lossy(&start);
    let mut heads = text.split("\r\n\r\n").collect::<Vec<_>>();
    heads.pop();
    assert!(heads.iter().all(|head| *head == "HTTP/1.1 103 Early Hints"));
    drop(flood);
    until(|| sandbox.stats().open_connections == 0).await;
}

#[tokio::test]
async fn stopping_closes_both_ports_and_every_connection() {
    let sandbox = broken(Line::V2_24, "hang").await;
    let (url, control) = (sandbox.url(), sandbox.control_url());
    let mut hung = open_v2(&sandbox).await;
    until(|| sandbox.stats().faulted == 1).await;
    sandbox.stop().await;
    let _ = read_all(&mut hung).await; // ends
    for url in [url, control] {
        assert_eq!(
            connect(&url, "").await.unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused
        );
    }
}
