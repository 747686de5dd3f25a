//! HTTP form of an answer: its status, and the headers that follow from its content.

use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{HeaderMap, Response, StatusCode};

use super::body::Answering;
use super::pace::Busy;
use crate::dialect::http::oauth2::refusal::Refusal;
use crate::instant::{Now, UnixTime};
use crate::problem::Problem;

pub(super) const JSON: &str = "application/json";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
const PROBLEM: &str = "application/problem+json";

/// Builds the response to a request that succeeded.
pub(super) fn accept(content_type: &'static str, body: Answering) -> Response<Answering> {
    response(StatusCode::OK, content_type, body)
}

/// Builds the response to a peer that may not use this socket. It closes the connection.
pub(super) fn turn_out(problem: &Problem, now: Now, busy: Busy) -> Response<Answering> {
    let mut response = refuse(problem, now, busy);
    close(&mut response);
    response
}

/// Makes a response the last one of its connection.
pub(super) fn close(response: &mut Response<Answering>) {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
}

/// Builds the response with a problem.
pub(super) fn refuse(problem: &Problem, now: Now, busy: Busy) -> Response<Answering> {
    let status = status(problem.code.row().status);
    let body = Answering::whole(problem.to_json(), busy);
    let mut response = response(status, PROBLEM, body);
    retry_after(&mut response, problem.retry_at, now);
    response
}

/// Builds the response with an error as in RFC 6749 section 5.2.
pub(super) fn refuse_oauth2(refusal: &Refusal, now: Now, busy: Busy) -> Response<Answering> {
    let status = status(refusal.status);
    let body = Answering::whole(refusal.to_json(), busy);
    let mut response = response(status, JSON, body);
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
fn retry_after(response: &mut Response<Answering>, at: Option<UnixTime>, now: Now) {
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
    status: StatusCode,
    content_type: &'static str,
    body: Answering,
) -> Response<Answering> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    // hyper keeps the map for the connection's next request, so an idle connection holds it. The default capacity is
    // six.
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    *response.headers_mut() = headers;
    response
}
