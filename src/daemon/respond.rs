//! One HTTP request in, one answer out.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER,
};
use hyper::{Request, Response, StatusCode};
use serde::Serialize;
use zeroize::Zeroizing;

use super::guard;
use super::routes::Route;
use super::service::{Door, Service};
use super::stream::Busy;
use crate::dialect::Reloaded;
use crate::problem::{Code, Problem};
use crate::wire::frame::{Invocation, MalformedFrame};
use crate::wire::{MAX_BODY, MAX_FRAME, Now, ProfilesReply, TokenReply};

/// How long the body of a request may take to arrive.
const BODY: Duration = Duration::from_secs(5);

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const FRAMES: &str = "application/vnd.jeton.frame";
const PROBLEM: &str = "application/problem+json";

/// The body of an answer; its connection counts as busy until it is written.
pub(super) struct Answering {
    bytes: Full<Bytes>,
    _busy: Busy,
}

/// What an answer says, before it is HTTP.
struct Said {
    content_type: &'static str,
    /// May hold a token. The allocator wipes it when it has been written and is freed; a wipe of its own before that
    /// would be a second one, byte by byte, on the hot path.
    body: Vec<u8>,
}

impl Body for Answering {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.bytes).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.bytes.size_hint()
    }
}

/// Answers one request.
pub(super) async fn respond(
    service: &Service,
    door: Door,
    request: Request<Incoming>,
    busy: Busy,
) -> Response<Answering> {
    let uri = request.uri().clone();
    match answer(service, door, request).await {
        Ok(said) => http(StatusCode::OK, said.content_type, said.body, busy),
        Err(problem) => {
            let mut response = refuse(&problem, service.clock.now(), busy);
            if problem.code == Code::MethodNotAllowed {
                response
                    .headers_mut()
                    .insert(ALLOW, HeaderValue::from_static(Route::allowed(uri.path())));
            }
            response
        }
    }
}

/// The answer that is a problem.
pub(super) fn refuse(problem: &Problem, now: Now, busy: Busy) -> Response<Answering> {
    let row = problem.code.row();
    // The table's statuses are all valid: a test walks it.
    let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = http(status, PROBLEM, problem.to_json(), busy);
    if let (Some(at), 503 | 429) = (problem.retry_at, row.status) {
        let wait = at
            .seconds_up()
            .saturating_sub(now.unix.seconds_down())
            .max(1);
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(wait));
    }
    response
}

fn http(
    status: StatusCode,
    content_type: &'static str,
    body: Vec<u8>,
    busy: Busy,
) -> Response<Answering> {
    let bytes = Full::new(Bytes::from(body));
    let mut response = Response::new(Answering { bytes, _busy: busy });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn answer(
    service: &Service,
    door: Door,
    request: Request<Incoming>,
) -> Result<Said, Problem> {
    guard::check(&request)?;
    let uri = request.uri();
    let route = Route::parse(request.method(), uri.path(), uri.query(), door)?;
    let plain = wants_plain(&request);
    let body = read(
        request,
        if route == Route::Helper {
            MAX_FRAME
        } else {
            MAX_BODY
        },
    )
    .await?;
    match route {
        Route::Healthz => Ok(text("ok\n")),
        Route::Readyz(name) => service
            .ready(name.as_ref(), Duration::ZERO)
            .await
            .map(|()| text("ready\n")),
        Route::Profiles => {
            let profiles = service
                .profiles(None)?
                .into_iter()
                .map(|state| state.reply)
                .collect();
            Ok(json(&ProfilesReply { profiles }))
        }
        Route::Profile(name) => Ok(json(&service.roster.get(&name)?.state().reply)),
        Route::Token {
            profile,
            min_valid,
            max_wait,
        } => {
            let served = service
                .roster
                .get(&profile)?
                .token(min_valid, max_wait)
                .await?;
            if plain {
                let token = served.held.token.expose().as_bytes();
                let body = [token, b"\n"].concat();
                return Ok(Said {
                    content_type: TEXT,
                    body,
                });
            }
            let now = service.clock.now();
            Ok(Said {
                content_type: JSON,
                body: TokenReply::new(&profile, &served.held, served.stale, now).to_line(),
            })
        }
        Route::Refresh(name) => {
            let handle = service.roster.get(&name)?;
            handle.refresh().await?;
            Ok(json(&handle.state().reply))
        }
        Route::Helper => {
            let run = Invocation::parse(&body)
                .map_err(|MalformedFrame(why)| Problem::bad_request(why))?;
            Ok(Said {
                content_type: FRAMES,
                body: std::mem::take(&mut *service.run(&run, door).await.to_bytes()),
            })
        }
        Route::Reload => {
            let Reloaded {
                added,
                removed,
                changed,
                kept,
            } = service.reload().await?;
            let counts = [
                ("added", added),
                ("removed", removed),
                ("changed", changed),
                ("kept", kept),
            ];
            Ok(json(&std::collections::BTreeMap::from(counts)))
        }
    }
}

/// Reads a body up to its cap and inside its deadline.
async fn read(request: Request<Incoming>, cap: usize) -> Result<Zeroizing<Vec<u8>>, Problem> {
    if request.body().is_end_stream() {
        return Ok(Zeroizing::default());
    }
    let stated = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|n| n.to_str().ok()?.parse::<u64>().ok());
    if stated.is_some_and(|n| n > cap as u64) {
        return Err(Problem::new(Code::PayloadTooLarge));
    }
    let body = Limited::new(request.into_body(), cap).collect();
    match tokio::time::timeout(BODY, body).await {
        Ok(Ok(body)) => Ok(Zeroizing::new(body.to_bytes().to_vec())),
        Ok(Err(e)) if e.is::<LengthLimitError>() => Err(Problem::new(Code::PayloadTooLarge)),
        Ok(Err(_)) => Err(Problem::bad_request("the body ended early")),
        Err(_) => Err(Problem::bad_request("the body did not arrive in 5 s")),
    }
}

/// Whether the client asks for the bare token: it accepts plain text, and JSON not by name.
fn wants_plain<B>(request: &Request<B>) -> bool {
    let accepts = |kind: &str| {
        request.headers().get_all(ACCEPT).iter().any(|value| {
            value
                .to_str()
                .is_ok_and(|text| text.split([',', ';']).any(|part| part.trim() == kind))
        })
    };
    accepts("text/plain") && !accepts(JSON)
}

fn text(body: &str) -> Said {
    Said {
        content_type: TEXT,
        body: body.as_bytes().to_vec(),
    }
}

fn json<T: Serialize>(body: &T) -> Said {
    // Structs and maps of strings and numbers always serialise.
    let mut body = serde_json::to_vec(body).unwrap_or_default();
    body.push(b'\n');
    Said {
        content_type: JSON,
        body,
    }
}
