//! An issuer on loopback that sends the answers of an accent byte for byte, and records the requests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::accent::{Answer, Framing};
use super::text::Values;

/// The issuer. It ends with its runtime.
#[derive(Debug, Default)]
pub(crate) struct Issuer {
    /// Every answer with its bytes, and whether it was already sent.
    answers: Mutex<Vec<(Answer, Vec<u8>, bool)>>,
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl Issuer {
    /// Starts sending these answers at the listener, over TLS if there is an acceptor.
    pub(crate) fn start(
        listener: TcpListener,
        acceptor: Option<TlsAcceptor>,
        answers: Vec<Answer>,
        values: &Values,
    ) -> Result<Arc<Self>, String> {
        let bytes = |answer: Answer| {
            let bytes = bytes(&answer, values)?;
            Ok((answer, bytes, false))
        };
        let issuer = Arc::new(Self {
            answers: Mutex::new(
                answers
                    .into_iter()
                    .map(bytes)
                    .collect::<Result<_, String>>()?,
            ),
            ..Self::default()
        });
        let kept = Arc::clone(&issuer);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                kept.connections.fetch_add(1, Ordering::SeqCst);
                let (kept, acceptor) = (Arc::clone(&kept), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => kept.serve(stream, TcpStream::set_zero_linger).await,
                        // A client that does not trust the certificate ends the handshake.
                        Some(acceptor) => {
                            let stream = acceptor.accept(stream).await.ok()?;
                            kept.serve(stream, |tls| tls.get_ref().0.set_zero_linger())
                                .await
                        }
                    }
                });
            }
        });
        Ok(issuer)
    }

    /// Returns the number of connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Takes the requests since the last call, each with its head and body.
    pub(crate) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }

    /// Returns the bytes of all answers, so that a test can search for tokens that must not be reported.
    pub(crate) fn written(&self) -> Vec<Vec<u8>> {
        let answers = self.answers.lock().unwrap();
        answers.iter().map(|(_, bytes, _)| bytes.clone()).collect()
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: S,
        have_reset: impl Fn(&S) -> std::io::Result<()>,
    ) -> Option<()> {
        loop {
            let request = read(&mut stream).await?;
            let line = line(&request);
            self.requests.lock().unwrap().push(request);
            let (framing, bytes) = self.answer(&line);
            // The client may stop reading early.
            stream.write_all(&bytes).await.ok()?;
            stream.flush().await.ok()?;
            match framing {
                Framing::Length | Framing::Chunked | Framing::Open => {}
                Framing::Close => return stream.shutdown().await.ok(),
                Framing::Reset => return have_reset(&stream).ok(),
            }
        }
    }

    fn answer(&self, line: &str) -> (Framing, Vec<u8>) {
        let mut answers = self.answers.lock().unwrap();
        let fits = |answer: &Answer| answer.to.as_ref().is_none_or(|to| to == line);
        let next = answers
            .iter()
            .position(|(answer, _, given)| !given && fits(answer));
        let last = || answers.iter().rposition(|(answer, _, _)| fits(answer));
        match next.or_else(last) {
            Some(at) => {
                answers[at].2 = true;
                (answers[at].0.framing, answers[at].1.clone())
            }
            None => {
                let absent = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
                (Framing::Length, absent.to_vec())
            }
        }
    }
}

/// Returns `METHOD PATH` of a request.
pub(crate) fn line(request: &str) -> String {
    let line = request.lines().next().unwrap_or_default();
    line.trim_end_matches(" HTTP/1.1").to_owned()
}

fn bytes(answer: &Answer, values: &Values) -> Result<Vec<u8>, String> {
    if answer.head.is_empty() {
        return Ok(vec![]);
    }
    let mut body = values.expand(&answer.body)?;
    let mut out = vec![];
    for line in &answer.head {
        out.extend(values.expand(line)?);
        out.extend(b"\r\n");
    }
    let states_length = answer.head.iter().any(|line| {
        let line = line.to_ascii_lowercase();
        line.starts_with("content-length") || line.starts_with("transfer-encoding")
    });
    match answer.framing {
        Framing::Length if !states_length => {
            out.extend(format!("Content-Length: {}\r\n", body.len()).into_bytes());
        }
        Framing::Chunked => {
            out.extend(b"Transfer-Encoding: chunked\r\n");
            body = chunked(&body);
        }
        _ => {}
    }
    out.extend(b"\r\n");
    out.extend(body);
    Ok(out)
}

/// Encodes a body as two chunks, the second with an extension (RFC 9112, section 7.1.1).
fn chunked(body: &[u8]) -> Vec<u8> {
    let (first, second) = body.split_at(body.len() / 2);
    let mut out = vec![];
    for (chunk, extension) in [(first, ""), (second, ";a=b")] {
        if !chunk.is_empty() {
            out.extend(format!("{:x}{extension}\r\n", chunk.len()).into_bytes());
            out.extend(chunk);
            out.extend(b"\r\n");
        }
    }
    out.extend(b"0\r\n\r\n");
    out
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = vec![];
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    while bytes.len() < head + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
