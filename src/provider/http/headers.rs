//! The headers of every request.

use hyper::header::{self, HeaderMap, HeaderValue};

/// The `User-Agent` of every request.
pub(super) const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("jeton/", env!("CARGO_PKG_VERSION")));

/// Returns the headers whose values are the same in every request.
pub(super) fn usual() -> HeaderMap {
    HeaderMap::from_iter([
        (header::USER_AGENT, USER_AGENT),
        (header::ACCEPT, HeaderValue::from_static("application/json")),
        // Without this header a server may choose any coding (RFC 9110 section 12.5.3).
        (
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        ),
    ])
}
