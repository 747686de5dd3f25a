//! Reads the body of a request within its size limit, its deadline and its user's memory budget.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use hyper::{HeaderMap, Request, Uri};
use zeroize::Zeroizing;

use super::memory::{Account, Charge, refusal};
use crate::instant::Now;
use crate::problem::{Code, Problem};

/// Time limit for the body of a request to arrive.
const BODY: Duration = Duration::from_secs(5);

/// The header with the last event that a reconnecting watcher received (WHATWG HTML, "Server-sent events").
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The body of a request. Drop it before waiting, because it holds memory of its user's budget.
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
    /// `payload_too_large`, `bad_request`, or `unavailable` if there is no memory for it. The refusal comes at once,
    /// because a request that waited for memory would itself need some.
    pub(super) async fn read(
        request: &mut Request<Incoming>,
        cap: usize,
        account: &Account,
        now: Now,
    ) -> Result<Self, Problem> {
        let length = stated_length(request, cap)?;
        let head = detach_head(request);
        let charge = account.take(length + head).ok_or_else(|| refusal(now))?;
        // Allocate the final size, so that no outgrown buffer leaves copies behind and no piece keeps the connection's
        // own buffer in use.
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        // The connection ends the body at the stated length.
        within_deadline(each_piece(request, |piece| bytes.extend_from_slice(piece))).await?;
        Ok(Self {
            bytes,
            _charge: Some(charge),
        })
    }

    /// Reads and drops the body of a request that takes none.
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

/// Returns the length that the request states. It always states one, because a request with a Transfer-Encoding has
/// already been refused.
fn stated_length(request: &Request<Incoming>, cap: usize) -> Result<usize, Problem> {
    let too_large = || Problem::new(Code::PayloadTooLarge);
    let length = request.body().size_hint().exact().ok_or_else(too_large)?;
    let length = usize::try_from(length).map_err(|_| too_large())?;
    if length > cap {
        return Err(too_large());
    }
    Ok(length)
}

/// Replaces the head by copies of the parts that are still needed, and returns their length. The original head is part
/// of the connection's buffer. While it exists, the connection needs a second buffer for the body.
fn detach_head(request: &mut Request<Incoming>) -> usize {
    let mut kept = HeaderMap::new();
    let mut length = 0;
    for name in [ACCEPT, AUTHORIZATION, CONTENT_TYPE, LAST_EVENT_ID] {
        for value in request.headers().get_all(&name) {
            // The bytes come from a valid header value, so they are valid again.
            if let Ok(copy) = value.as_bytes().try_into() {
                length += value.len();
                kept.append(&name, copy);
            }
        }
    }
    *request.headers_mut() = kept;
    let path = request.uri().path().to_owned();
    length += path.len();
    // A path alone is a valid URI.
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
