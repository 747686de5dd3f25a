//! OAuth 2.0's token endpoint.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};

use super::super::keep::wait_limit::WaitLimit;
use super::super::service::Service;
use super::reply::{Failure, Reply};
use super::request_body::RequestBody;
use super::response::JSON;
use crate::dialect::http::oauth2::{self, RawTokenRequest, TokenRequest};
use crate::policy::Caller;
use crate::problem::Problem;

/// Answers with a token as in RFC 6749 section 4.4. The held token is served whatever validity it has left, because the
/// client uses it for as long as the answer says.
pub(super) async fn oauth2_token(
    service: &Service,
    caller: &Caller,
    headers: &HeaderMap,
    body: RequestBody,
    max_wait: WaitLimit,
) -> Result<Reply, Failure> {
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    let authorization = authorizations.next().map(HeaderValue::as_bytes);
    if authorizations.next().is_some() {
        return Err(Problem::bad_request("there is more than one Authorization header").into());
    }
    let asked = TokenRequest::parse(RawTokenRequest {
        content_type: headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes),
        authorization,
        body: &body,
    })?;
    drop(body);
    {
        let roster = service.roster.seen_by(caller);
        let handle = roster.get(&asked.profile)?;
        asked.suits(handle.purpose())?;
        // Before the first token, it is not known what the issuer grants.
        if let Some(held) = handle.held() {
            asked.suits_scope(handle.purpose(), &held)?;
        }
    }
    let (handle, served) = service
        .token(caller, Some(&asked.profile), Duration::ZERO, max_wait)
        .await?;
    asked.suits_scope(handle.purpose(), &served.held)?;
    let answer = oauth2::answer(&served.held, handle.purpose(), served.at);
    Ok(Reply::around(JSON, answer, &served.held))
}
