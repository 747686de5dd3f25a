//! A token endpoint on loopback for tests. It plays one script of bytes per connection, and records the requests.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The reaction to a request.
#[derive(Clone)]
pub(super) enum Play {
    /// Sends these bytes, then ends in order.
    Answer(Vec<u8>),
    /// Sends these bytes, then resets the connection.
    Reset(Vec<u8>),
    /// Sends these bytes, then further ones without end.
    Endless(Vec<u8>),
    /// Sends these bytes, then a blank from time to time.
    Drip(Vec<u8>),
}

/// A recorded request.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

pub(super) struct Fake {
    pub(super) address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    written: AtomicUsize,
    requests: Mutex<Vec<Sent>>,
}

impl Sent {
    pub(super) fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    /// Returns the names of the headers, sorted, in lower case.
    pub(super) fn header_names(&self) -> Vec<String> {
        let name = |line: &str| line.split_once(':').unwrap().0.to_ascii_lowercase();
        let mut names: Vec<_> = self.head.lines().skip(1).map(name).collect();
        names.sort();
        names
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (n, value) = line.split_once(':')?;
            n.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Fake {
    /// Listens on a free port. Connections play the scripts in order; all further connections play the last one.
    pub(super) async fn start(plays: Vec<Play>) -> Self {
        Self::start_with(|_| plays).await
    }

    /// Does the same with scripts that depend on the endpoint's own URL.
    pub(super) async fn start_with(plays: impl FnOnce(&str) -> Vec<Play>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let plays = plays(&format!("http://{address}"));
        let seen = Arc::<Seen>::default();
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let n = kept.connections.fetch_add(1, Ordering::SeqCst);
                let play = plays[n.min(plays.len() - 1)].clone();
                let kept = Arc::clone(&kept);
                tokio::spawn(async move { serve(stream, play, &kept).await });
            }
        });
        Self { address, seen }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// Returns how many bytes of an endless answer were accepted.
    pub(super) fn written(&self) -> usize {
        self.seen.written.load(Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> Vec<Sent> {
        self.seen.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, play: Play, seen: &Seen) -> Option<()> {
    let request = read(&mut stream).await?;
    seen.requests.lock().unwrap().push(request);
    match play {
        Play::Answer(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            stream.shutdown().await.ok()
        }
        Play::Reset(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            stream.set_zero_linger().ok()
        }
        Play::Endless(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            while seen.written.load(Ordering::SeqCst) < 1 << 30 {
                let written = stream.write(&[b' '; 65_536]).await.ok()?;
                seen.written.fetch_add(written, Ordering::SeqCst);
            }
            Some(())
        }
        Play::Drip(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            loop {
                tokio::time::sleep(Duration::from_millis(20)).await;
                stream.write_all(b" ").await.ok()?;
            }
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Sent> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut sent = Sent {
        head,
        body: bytes[end + 4..].to_vec(),
    };
    let len = sent
        .header("content-length")
        .map_or(0, |len| len.parse().unwrap());
    while sent.body.len() < len {
        if stream.read_buf(&mut sent.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(sent)
}

/// Builds a complete answer. `headers` are further lines, each with its line end.
pub(super) fn answer(status: u16, content_type: &str, headers: &str, body: &str) -> Play {
    let len = body.len();
    Play::Answer(
        format!(
            "HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len}\r\n{headers}\r\n{body}"
        )
        .into_bytes(),
    )
}

pub(super) fn json(status: u16, body: &str) -> Play {
    answer(status, "application/json", "", body)
}
