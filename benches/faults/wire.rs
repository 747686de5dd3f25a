//! The clients' side of the socket: a kept connection, or one for a single HTTP/1.0 request like the companion's.

use std::io::{Error, ErrorKind, Result};
use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// Longer than any reply, in bytes.
const LONGEST: usize = 256 * 1024;

/// A reply.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) is_problem: bool,
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: Vec<u8>,
}

/// A client's connection, which is kept for as long as the daemon allows.
#[derive(Default)]
pub(crate) struct KeptConnection(Option<UnixStream>);

impl KeptConnection {
    /// Sends a request on the kept connection. If that fails, the next request uses a new one.
    pub(crate) async fn ask(
        &mut self,
        socket: &Path,
        method: &str,
        target: &str,
    ) -> Result<Answer> {
        let mut stream = match self.0.take() {
            Some(stream) => stream,
            None => UnixStream::connect(socket).await?,
        };
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let answer = read(&mut stream).await?;
        self.0 = Some(stream);
        Ok(answer)
    }
}

/// Sends a request on a new connection, and reads it to its end.
pub(crate) async fn ask_once(socket: &Path, target: &str) -> Result<Answer> {
    let mut stream = UnixStream::connect(socket).await?;
    let request = format!("GET {target} HTTP/1.0\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let answer = read(&mut stream).await?;
    if stream.read(&mut [0]).await? > 0 {
        return Err(bad("bytes after the answer"));
    }
    Ok(answer)
}

async fn read(stream: &mut UnixStream) -> Result<Answer> {
    let mut bytes = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if let Some(answer) = whole(&bytes)? {
            return Ok(answer);
        }
        if bytes.len() > LONGEST {
            return Err(bad("an endless answer"));
        }
    }
}

/// Parses a complete reply; `None` if some bytes are still missing.
fn whole(bytes: &[u8]) -> Result<Option<Answer>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| bad("a head that is no text"))?;
    let header = |wanted: &str| {
        let mut pairs = head.lines().filter_map(|line| line.split_once(": "));
        let found = pairs.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value)
    };
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
    let (Some(status), Some(length)) = (
        head.get(9..12).and_then(|text| text.parse().ok()),
        number(header("content-length")),
    ) else {
        return Err(bad("a head without a status or a length"));
    };
    let body = &bytes[end + 4..];
    if (body.len() as u64) < length {
        return Ok(None);
    }
    if body.len() as u64 > length {
        return Err(bad("bytes after the answer"));
    }
    Ok(Some(Answer {
        status,
        is_problem: header("content-type") == Some("application/problem+json"),
        retry_after: number(header("retry-after")),
        body: body.to_vec(),
    }))
}

fn bad(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}
