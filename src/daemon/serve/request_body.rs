//! Reads the body of a request: within its cap, its deadline, and the memory of its user.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use hyper::{HeaderMap, Request, Uri};
use zeroize::Zeroizing;

use super::memory::{Account, Charge, refusal};
use crate::instant::Now;
use crate::problem::{Code, Problem};

/// How long the body of a request may take to arrive.
const BODY: Duration = Duration::from_secs(5);

/// The last event that a reconnecting watcher received (WHATWG HTML, "Server-sent events").
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The body of a request. Drop it before a wait: it holds memory of its user.
#[derive(Default)]
pub(super) struct RequestBody {
    bytes: Zeroizing<Vec<u8>>,
    _charge: Option<Charge>,
}

// === impl RequestBody ===

impl RequestBody {
    /// Reads the whole body, if it is at most `cap` bytes long.
    ///
    /// # Errors
    /// `payload_too_large`, `bad_request`, or `unavailable` when there is no memory for it: at once, since a request that
    /// waited for memory would hold some.
    pub(super) async fn read(
        request: &mut Request<Incoming>,
        cap: usize,
        account: &Account,
        now: Now,
    ) -> Result<Self, Problem> {
        let length = stated_length(request, cap)?;
        let head = detach_head(request);
        let charge = account.take(length + head).ok_or_else(|| refusal(now))?;
        // Of its final size: neither a buffer that grows nor the pieces of the connection's own buffer stay behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        // The connection ends the body at the stated length.
        within_deadline(each_piece(request, |piece| bytes.extend_from_slice(piece))).await?;
        Ok(Self {
            bytes,
            _charge: Some(charge),
        })
    }

    /// Reads the body of a request that takes none, and keeps nothing of it.
    ///
    /// # Errors
    /// As [`RequestBody::read`].
    pub(super) async fn skip(
        request: &mut Request<Incoming>,
        cap: usize,
        account: &Account,
        now: Now,
    ) -> Result<(), Problem> {
        stated_length(request, cap)?;
        let head = detach_head(request);
        let _charge = account.take(head).ok_or_else(|| refusal(now))?;
        within_deadline(each_piece(request, |_| {})).await
    }
}

impl std::ops::Deref for RequestBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The length that the request states. It states one: a request with a Transfer-Encoding was refused before.
fn stated_length(request: &Request<Incoming>, cap: usize) -> Result<usize, Problem> {
    let too_large = || Problem::new(Code::PayloadTooLarge);
    let length = request.body().size_hint().exact().ok_or_else(too_large)?;
    let length = usize::try_from(length).map_err(|_| too_large())?;
    if length > cap {
        return Err(too_large());
    }
    Ok(length)
}

/// Replaces the head by copies of what is still needed, and returns their length. The original is a part of the
/// connection's buffer: while it is there, the connection needs a second buffer for the body.
fn detach_head(request: &mut Request<Incoming>) -> usize {
    let mut kept = HeaderMap::new();
    let mut length = 0;
    for name in [ACCEPT, AUTHORIZATION, CONTENT_TYPE, LAST_EVENT_ID] {
        for value in request.headers().get_all(&name) {
            // The bytes of a header's value are a header's value.
            if let Ok(copy) = value.as_bytes().try_into() {
                length += value.len();
                kept.append(&name, copy);
            }
        }
    }
    *request.headers_mut() = kept;
    let path = request.uri().path().to_owned();
    length += path.len();
    // A path alone is a valid address.
    *request.uri_mut() = Uri::try_from(path).unwrap_or_default();
    length
}

async fn each_piece(
    request: &mut Request<Incoming>,
    mut take: impl FnMut(&[u8]),
) -> Result<(), Problem> {
    while let Some(frame) = request.body_mut().frame().await {
        let frame = frame.map_err(|_| Problem::bad_request("the body ended early"))?;
        if let Some(piece) = frame.data_ref() {
            take(piece);
        }
    }
    Ok(())
}

async fn within_deadline(read: impl Future<Output = Result<(), Problem>>) -> Result<(), Problem> {
    tokio::time::timeout(BODY, read)
        .await
        .unwrap_or_else(|_| Err(Problem::bad_request("the body did not arrive in 5 s")))
}
