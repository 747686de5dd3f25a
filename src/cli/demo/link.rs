//! A persistent connection to the daemon's socket or to the sandbox.

use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};

/// Time limit of a request, including the connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest answer that is read, in bytes.
const MAX_BODY_LEN: usize = 64 * 1_024;

/// The peer of a link.
#[derive(Debug, Clone)]
pub(super) enum LinkPeer {
    /// A Unix socket.
    Socket(PathBuf),
    /// A host and port.
    Api(String),
}

/// A connection that is made at its first use, and made again after it breaks.
pub(super) struct Link {
    place: LinkPeer,
    open: Option<SendRequest<Empty<Bytes>>>,
}

impl Link {
    pub(super) const fn new(place: LinkPeer) -> Self {
        Self { place, open: None }
    }

    /// Sends a `GET` request, once.
    pub(super) async fn get(
        &mut self,
        path: &str,
        token: Option<&str>,
    ) -> Result<(StatusCode, Bytes), String> {
        // A broken connection is not used again, and neither is one whose answer timed out.
        let open = self.open.take().filter(|open| !open.is_closed());
        let asked = tokio::time::timeout(PATIENCE, self.exchange(open, path, token));
        asked
            .await
            .unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    async fn exchange(
        &mut self,
        open: Option<SendRequest<Empty<Bytes>>>,
        path: &str,
        token: Option<&str>,
    ) -> Result<(StatusCode, Bytes), String> {
        let mut sender = match open {
            Some(open) => open,
            None => self.place.connect().await?,
        };
        let mut request = Request::get(path).header(HOST, HeaderValue::from_static("localhost"));
        if let Some(token) = token {
            let mut bearer = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| "the token cannot be sent".to_owned())?;
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        let request = request.body(Empty::new()).map_err(|e| e.to_string())?;
        sender.ready().await.map_err(|e| e.to_string())?;
        let answer = sender
            .send_request(request)
            .await
            .map_err(|e| e.to_string())?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MAX_BODY_LEN).collect();
        let body = body.await.map_err(|e| e.to_string())?.to_bytes();
        self.open = Some(sender);
        Ok((head.status, body))
    }
}

impl LinkPeer {
    async fn connect(&self) -> Result<SendRequest<Empty<Bytes>>, String> {
        let failed = |e: std::io::Error| format!("no connection: {e}");
        match self {
            Self::Socket(path) => {
                shake(TokioIo::new(
                    UnixStream::connect(path).await.map_err(failed)?,
                ))
                .await
            }
            Self::Api(address) => {
                shake(TokioIo::new(
                    TcpStream::connect(address).await.map_err(failed)?,
                ))
                .await
            }
        }
    }
}

async fn shake<I>(io: I) -> Result<SendRequest<Empty<Bytes>>, String>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(io).await.map_err(|e| e.to_string())?;
    // The task ends with the sender, and the request reports what breaks the connection.
    drop(tokio::spawn(connection));
    Ok(sender)
}
