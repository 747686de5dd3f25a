//! Handles one request to the control plane: parses it for the issuer, and converts the answer.

use std::time::Duration;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode};

use super::answer::{self, Answer};
use super::endpoint::{Api, Endpoint};
use super::fault::Fault;
use super::issuer::TokenRequest;
use super::moment::Moment;
use super::panel::SandboxHandle;
use super::script::Delivery;
use super::tenant;

/// The maximum size of a body, in bytes: many times that of a token request.
pub(super) const MAX_BODY_LEN: usize = 64 * 1_024;

/// The timeout for the whole body, so that a stalled client does not occupy a connection for ever.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Answers one request.
pub(super) async fn answer<B>(panel: &SandboxHandle, request: Request<B>) -> Delivery
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let path = request.uri().path().to_owned();
    let endpoint = Endpoint::at(&path);
    if let Some(Endpoint::Token(api)) = endpoint
        && request.method() == Method::POST
    {
        return token(panel, api, request).await;
    }
    let line = {
        let issuer = panel.issuer();
        if matches!(issuer.switch.fault(), Some(Fault::Hang)) {
            return Delivery::silence();
        }
        issuer.tenant.line
    };
    match endpoint.filter(|endpoint| line.has(*endpoint)) {
        None => {
            let issuer = panel.issuer();
            Delivery::Whole(issuer.elsewhere(issuer.unknown_path(), Moment::now()))
        }
        Some(endpoint) if !endpoint.methods().contains(request.method()) => {
            let methods: Vec<_> = endpoint.methods().iter().map(Method::as_str).collect();
            Delivery::Whole(method_not_allowed(&methods.join(", ")))
        }
        Some(endpoint) => resource(panel, endpoint, request).await,
    }
}

async fn resource<B>(panel: &SandboxHandle, endpoint: Endpoint<'_>, request: Request<B>) -> Delivery
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    let body = match read_body(body).await {
        Ok(body) => body,
        Err(status) => return Delivery::Whole(answer::error(status)),
    };
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let request = tenant::Request {
        is_json: text(CONTENT_TYPE).is_some_and(is_json),
        method: head.method.clone(),
        path: head.uri.path(),
        endpoint,
        query: head.uri.query().unwrap_or_default(),
        body,
    };
    let now = Moment::now();
    let (fault, answer) = panel.issuer().resource(&request, text(AUTHORIZATION), now);
    Delivery::of(fault.as_ref(), answer, now)
}

fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

async fn token<B>(panel: &SandboxHandle, api: Api, request: Request<B>) -> Delivery
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    let body = match read_body(body).await {
        Ok(body) => body,
        Err(status) => return Delivery::Whole(answer::error(status)),
    };
    let content_type = head.headers.get(CONTENT_TYPE);
    let request = TokenRequest {
        api,
        path: head.uri.path(),
        content_type: content_type.and_then(|value| value.to_str().ok()),
        header_names: head.headers.keys().map(ToString::to_string).collect(),
        body: &body,
    };
    let now = Moment::now();
    let (fault, answer) = panel.issuer().token(request, now);
    Delivery::of(fault.as_ref(), answer, now)
}

/// Reads a body up to [`MAX_BODY_LEN`].
///
/// # Errors
/// The status to answer with.
pub(super) async fn read_body<B>(body: B) -> Result<Bytes, StatusCode>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // a body of a too large declared size is refused before it is sent
    if body.size_hint().lower() > MAX_BODY_LEN as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let read = Limited::new(body, MAX_BODY_LEN).collect();
    match tokio::time::timeout(BODY_TIMEOUT, read).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(fault)) if fault.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// Makes the answer 405 with the allowed method (RFC 9110 section 15.5.6).
pub(super) fn method_not_allowed(allowed: &str) -> Answer {
    let answer = answer::error(StatusCode::METHOD_NOT_ALLOWED);
    match HeaderValue::try_from(allowed) {
        Ok(allowed) => answer::with(answer, ALLOW, allowed),
        Err(_) => answer,
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;
    use tokio::sync::mpsc;

    use super::*;
    use crate::credential::ClientSecret;
    use crate::sandbox::issuer::Issuer;
    use crate::sandbox::{Line, Options};

    /// A test over sockets could not see that a request was read and will not be answered.
    #[tokio::test]
    async fn hang_affects_every_path_and_other_faults_only_token_endpoints() {
        let options = Options::new(Line::V2_24, "app", ClientSecret::parse("s").unwrap());
        let issuer = Issuer::new(options, String::new(), Moment::now());
        let panel = SandboxHandle::new(issuer, None, mpsc::channel(1).0, mpsc::channel(1).0);
        let raw = async |method, path| {
            let mut request = Request::new(Empty::<Bytes>::new());
            *request.method_mut() = method;
            *request.uri_mut() = path;
            matches!(answer(&panel, request).await, Delivery::Raw(_))
        };
        for (fault, elsewhere) in [(Fault::Hang, true), (Fault::ResetEarly, false)] {
            panel.issuer().switch.set(Some(fault), None);
            for path in ["/api/v1/clusters", "/api/v2/token", "/favicon.ico"] {
                let path = hyper::Uri::from_static(path);
                assert_eq!(raw(Method::GET, path.clone()).await, elsewhere, "{path}");
            }
            for path in ["/api/v1/token", "/api/v2/token"] {
                assert!(raw(Method::POST, hyper::Uri::from_static(path)).await);
            }
        }
    }
}
