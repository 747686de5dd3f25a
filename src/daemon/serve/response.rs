//! An answer as HTTP: its status and the headers that follow from what it says.

use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};

use super::body::Answering;
use super::stream::Busy;
use crate::dialect::http::oauth2::refusal::Refusal;
use crate::instant::{Now, UnixTime};
use crate::problem::Problem;

pub(super) const JSON: &str = "application/json";
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
const PROBLEM: &str = "application/problem+json";

/// The answer to what succeeded.
pub(super) fn accept(content_type: &'static str, body: Answering) -> Response<Answering> {
    response(StatusCode::OK, content_type, body)
}

/// The answer to who may ask for nothing here; the connection ends with it.
pub(super) fn turn_out(problem: &Problem, now: Now, busy: Busy) -> Response<Answering> {
    let mut response = refuse(problem, now, busy);
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

/// The answer that is a problem.
pub(super) fn refuse(problem: &Problem, now: Now, busy: Busy) -> Response<Answering> {
    let status = status(problem.code.row().status);
    let body = Answering::whole(problem.to_json().into(), busy);
    let mut response = response(status, PROBLEM, body);
    retry_after(&mut response, problem.retry_at, now);
    response
}

/// The answer that is a refusal of RFC 6749 section 5.2.
pub(super) fn refuse_oauth2(refusal: &Refusal, now: Now, busy: Busy) -> Response<Answering> {
    let status = status(refusal.status);
    let body = Answering::whole(refusal.to_json().into(), busy);
    let mut response = response(status, JSON, body);
    retry_after(&mut response, refusal.retry_at, now);
    if status == StatusCode::UNAUTHORIZED {
        // RFC 9110 section 15.5.2; Basic is the only scheme there is.
        let challenge = HeaderValue::from_static("Basic realm=\"jeton\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The tables' statuses are all valid: tests walk them.
fn status(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Says when to ask again, where the status promises that this helps.
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

/// An answer of this kind; nobody may keep it.
fn response(
    status: StatusCode,
    content_type: &'static str,
    body: Answering,
) -> Response<Answering> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
