//! HTTP form of an answer: its status, and the headers that follow from its content.

use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{HeaderMap, Response, StatusCode};

use super::body::AnswerBody;
use super::connection_progress::BusyGuard;
use crate::dialect::http::oauth2::refusal::Refusal;
use crate::instant::{Now, UnixTime};
use crate::problem::Problem;

pub(super) const JSON: &str = "application/json";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
const PROBLEM: &str = "application/problem+json";

/// The capacities of a map of headers that becomes that of a response. A response has at least two headers. hyper keeps
/// the map for the connection's next request, so an idle connection holds it, and it must not be large.
const REUSED: std::ops::RangeInclusive<usize> = 2..=6;

/// Builds the response to a request that succeeded, with this map of headers if it has a usual size. Its content is
/// removed.
pub(super) fn accept(
    mut headers: HeaderMap,
    content_type: &'static str,
    body: AnswerBody,
) -> Response<AnswerBody> {
    if REUSED.contains(&headers.capacity()) {
        headers.clear();
    } else {
        headers = HeaderMap::with_capacity(2);
    }
    response(headers, StatusCode::OK, content_type, body)
}

/// Builds the response to a peer that may not use this socket. It closes the connection.
pub(super) fn turn_out(problem: &Problem, now: Now, busy: BusyGuard) -> Response<AnswerBody> {
    let mut response = refuse(problem, now, busy);
    close(&mut response);
    response
}

/// Makes a response the last one of its connection.
pub(super) fn close(response: &mut Response<AnswerBody>) {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
}

/// Builds the response with a problem.
pub(super) fn refuse(problem: &Problem, now: Now, busy: BusyGuard) -> Response<AnswerBody> {
    let status = status(problem.code.row().status);
    let body = AnswerBody::whole(problem.to_json(), busy);
    let mut response = response(HeaderMap::with_capacity(2), status, PROBLEM, body);
    retry_after(&mut response, problem.retry_at, now);
    response
}

/// Builds the response with an error as in RFC 6749 section 5.2.
pub(super) fn refuse_oauth2(refusal: &Refusal, now: Now, busy: BusyGuard) -> Response<AnswerBody> {
    let status = status(refusal.status);
    let body = AnswerBody::whole(refusal.to_json(), busy);
    let mut response = response(HeaderMap::with_capacity(2), status, JSON, body);
    retry_after(&mut response, refusal.again_at(now.unix), now);
    if status == StatusCode::UNAUTHORIZED {
        // RFC 9110 section 15.5.2 requires a challenge. Basic is the only supported scheme.
        let challenge = HeaderValue::from_static("Basic realm=\"jeton\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Converts a status number of the code's tables. All of them are valid, as tests check.
fn status(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Sets `Retry-After` if the status means that a retry may help.
fn retry_after(response: &mut Response<AnswerBody>, at: Option<UnixTime>, now: Now) {
    if let (Some(at), 503 | 429) = (at, response.status().as_u16()) {
        let wait = at
            .seconds_up()
            .saturating_sub(now.unix.seconds_down())
            .max(1);
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(wait));
    }
}

/// Builds a response that no cache may store.
fn response(
    mut headers: HeaderMap,
    status: StatusCode,
    content_type: &'static str,
    body: AnswerBody,
) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests {
    use super::super::connection_progress::ConnectionProgress;
    use super::*;

    #[test]
    fn a_response_that_reuses_a_header_map_keeps_no_request_headers() {
        for of_request in 0..40_u16 {
            let mut headers = HeaderMap::with_capacity(2);
            for n in 0..of_request {
                let name = format!("x-{n}").parse::<hyper::header::HeaderName>();
                headers.append(name.unwrap(), HeaderValue::from(n));
            }
            let body = AnswerBody::whole(b"a token".to_vec(), ConnectionProgress::default().busy());
            let response = accept(headers, JSON, body);
            let headers = response.headers();
            assert_eq!(headers.len(), 2);
            assert_eq!(headers[CONTENT_TYPE], JSON);
            assert_eq!(headers[CACHE_CONTROL], "no-store");
            assert!(headers.capacity() <= *REUSED.end(), "{of_request}");
        }
    }
}
