//! Copies the relevant parts of an answer's head.

use hyper::Response;
use hyper::header::{self, HeaderName};
use zeroize::Zeroizing;

use super::coding;
use crate::provider::answer::IssuerResponse;

/// Returns the relevant parts of a response's head, without its body.
pub(super) fn head<B>(response: &Response<B>) -> IssuerResponse {
    let text = |name: HeaderName| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let lines = |name: HeaderName| {
        let values = response.headers().get_all(name).iter();
        let lines: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    };
    IssuerResponse {
        status: response.status().as_u16(),
        content_type: text(header::CONTENT_TYPE),
        date: text(header::DATE),
        retry_after: lines(header::RETRY_AFTER),
        location: text(header::LOCATION),
        coding: coding::not_undone(response.headers()),
        is_challenge: response.headers().contains_key(header::WWW_AUTHENTICATE),
        body: Zeroizing::default(),
    }
}
