//! One HTTP request in, one answer out.

use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, PRAGMA,
};
use hyper::{HeaderMap, Request, Response, StatusCode};
use serde::Serialize;
use zeroize::Zeroizing;

use super::super::keep::feed::Feed;
use super::super::keep::handle::Served;
use super::super::service::{Door, Ran, Service};
use super::body::{Answering, Form, Watching};
use super::guard;
use super::openapi;
use super::response::{self, JSON};
use super::routes::{OAUTH2_TOKEN, Route};
use super::stream::Busy;
use crate::dialect::http::oauth2::refusal::Refusal;
use crate::dialect::http::oauth2::{self, Came, TokenRequest};
use crate::policy::Caller;
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;
use crate::wire::frame::{Invocation, MalformedFrame};
use crate::wire::reload::{ReloadQuery, Source};
use crate::wire::{DEFAULT_MAX_WAIT, MAX_BODY, MAX_FRAME, ProfilesReply, Rejected, TokenReply};

/// How long the body of a request may take to arrive.
const BODY: Duration = Duration::from_secs(5);

const TEXT: &str = "text/plain; charset=utf-8";
const EVENTS: &str = "text/event-stream";
const FRAMES: &str = "application/vnd.jeton.frame";

/// What a reload changed.
#[derive(Serialize)]
struct ReloadReply {
    added: usize,
    removed: usize,
    changed: usize,
    kept: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    restart_needed: bool,
    /// There when the request has a body; without one the answer is what it was in every earlier version.
    #[serde(flatten)]
    source: Option<Source>,
}

/// What an answer says, before it is HTTP.
struct Said {
    content_type: &'static str,
    body: Content,
}

enum Content {
    /// May hold a token. The allocator wipes it when the last who shares it frees it; a wipe of its own before that
    /// would be a second one, byte by byte, on the hot path.
    Whole(Bytes),
    Watched(Box<Watching>),
}

/// How far a request gets without a wait.
enum Reached {
    Answer(Said),
    Route(Route),
}

/// Why a request is refused.
enum Wrong {
    Problem(Problem),
    /// In OAuth 2.0's words.
    Oauth2(Refusal),
}

impl From<Problem> for Wrong {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Refusal> for Wrong {
    fn from(refusal: Refusal) -> Self {
        Self::Oauth2(refusal)
    }
}

/// Answers one request.
pub(super) async fn respond(
    service: &Service,
    caller: &Caller,
    door: Door,
    request: &mut Request<Incoming>,
    busy: Busy,
) -> Response<Answering> {
    let is_oauth2 = request.uri().path() == OAUTH2_TOKEN;
    let answer = match at_once(service, caller, door, request) {
        Ok(Reached::Answer(said)) => Ok(said),
        // The room for all that can be waited for is taken when it is needed: it would be moved with every request.
        Ok(Reached::Route(route)) => Box::pin(answer(service, caller, door, request, route)).await,
        Err(problem) => Err(Wrong::Problem(problem)),
    };
    let path = request.uri().path();
    let now = || service.clock.now();
    let mut response = match answer {
        Ok(said) => {
            let body = match said.body {
                Content::Whole(bytes) => Answering::whole(bytes, busy),
                Content::Watched(watching) => Answering::watched(*watching, busy),
            };
            response::accept(said.content_type, body)
        }
        Err(Wrong::Oauth2(refusal)) => response::refuse_oauth2(&refusal, now(), busy),
        Err(Wrong::Problem(problem)) if is_oauth2 => {
            response::refuse_oauth2(&Refusal::from(problem), now(), busy)
        }
        Err(Wrong::Problem(problem)) => response::refuse(&problem, now(), busy),
    };
    let not_allowed = response.status() == StatusCode::METHOD_NOT_ALLOWED;
    let headers = response.headers_mut();
    if not_allowed {
        headers.insert(ALLOW, HeaderValue::from_static(Route::allowed(path)));
    }
    if is_oauth2 {
        // RFC 6749 section 5.1.
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    }
    response
}

/// The answer to nearly every request: the token that is held. For any other, what it asks for.
fn at_once(
    service: &Service,
    caller: &Caller,
    door: Door,
    request: &Request<Incoming>,
) -> Result<Reached, Problem> {
    guard::check(request)?;
    let uri = request.uri();
    let route = Route::parse(request.method(), uri.path(), uri.query(), door)?;
    if let Route::Token {
        profile, min_valid, ..
    } = &route
        && request.body().is_end_stream()
        && let Some(served) = service.held(caller, profile, *min_valid)?
    {
        let plain = wants_plain(request);
        return Ok(Reached::Answer(token(profile, &served, plain)));
    }
    Ok(Reached::Route(route))
}

async fn answer(
    service: &Service,
    caller: &Caller,
    door: Door,
    request: &mut Request<Incoming>,
    route: Route,
) -> Result<Said, Wrong> {
    let cap = if route == Route::Helper {
        MAX_FRAME
    } else {
        MAX_BODY
    };
    let body = if request.body().is_end_stream() {
        Zeroizing::default()
    } else {
        read(request, cap).await?
    };
    match route {
        Route::Healthz => Ok(text("ok\n")),
        Route::Readyz(name) => service
            .ready(caller, name.as_ref(), Duration::ZERO)
            .await
            .map(|()| text("ready\n"))
            .map_err(Wrong::Problem),
        Route::Openapi => Ok(said(JSON, openapi::DOCUMENT.as_bytes().to_vec())),
        Route::Profiles => {
            let profiles = service
                .profiles(caller, None)?
                .into_iter()
                .map(|state| state.reply)
                .collect();
            Ok(json(&ProfilesReply { profiles }))
        }
        Route::Profile(name) => {
            let handle = service.roster.seen_by(caller).get(&name).cloned()?;
            Ok(json(&handle.state().reply))
        }
        Route::Token {
            profile,
            min_valid,
            max_wait,
        } => {
            let (_, served) = service
                .token(caller, Some(&profile), min_valid, max_wait)
                .await?;
            Ok(token(&profile, &served, wants_plain(request)))
        }
        Route::Reject { profile, max_wait } => {
            let which = Rejected::from_json(&body).map_err(Problem::bad_request)?;
            let (_, served) = service
                .reject(caller, Some(&profile), &which, max_wait)
                .await?;
            Ok(token(&profile, &served, wants_plain(request)))
        }
        Route::Oauth2Token => oauth2_token(service, caller, request.headers(), &body).await,
        Route::Refresh(name) => {
            let state = service.refresh(caller, Some(&name)).await?;
            Ok(json(&state.reply))
        }
        Route::Helper => {
            let run = Invocation::parse(&body)
                .map_err(|MalformedFrame(why)| Problem::bad_request(why))?;
            Ok(match service.run(&run, caller, door).await {
                Ran::Answer(answer) => said(FRAMES, std::mem::take(&mut *answer.to_bytes())),
                Ran::Watch(feed, print) => {
                    let socket = service.socket.clone();
                    watched(FRAMES, feed, Form::frames(print, socket))
                }
            })
        }
        Route::Watch(name) => {
            let since = last_event_id(request.headers())?;
            let feed = service.watch(caller, Some(&name), since)?;
            Ok(watched(EVENTS, feed, Form::Events))
        }
        Route::Reload => {
            let query = ReloadQuery::from_json(&body).map_err(Problem::bad_request)?;
            let (done, source) = service.reload(query).await?;
            Ok(json(&ReloadReply {
                added: done.added,
                removed: done.removed,
                changed: done.changed,
                kept: done.kept,
                restart_needed: done.restart_needed,
                source: Some(source).filter(|_| !body.is_empty()),
            }))
        }
    }
}

/// A token in the way of RFC 6749 section 4.4. What is held is served: its client uses it for as long as it is told.
async fn oauth2_token(
    service: &Service,
    caller: &Caller,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Said, Wrong> {
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    let authorization = authorizations.next().map(HeaderValue::as_bytes);
    if authorizations.next().is_some() {
        return Err(Problem::bad_request("there is more than one Authorization header").into());
    }
    let asked = TokenRequest::parse(Came {
        content_type: headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes),
        authorization,
        body,
    })?;
    asked.suits(
        service
            .roster
            .seen_by(caller)
            .get(&asked.profile)?
            .purpose(),
    )?;
    let (handle, served) = service
        .token(
            caller,
            Some(&asked.profile),
            Duration::ZERO,
            DEFAULT_MAX_WAIT,
        )
        .await?;
    Ok(said(
        JSON,
        oauth2::answer(&served.held, handle.purpose(), served.at),
    ))
}

/// Reads a body up to its cap and inside its deadline.
async fn read(request: &mut Request<Incoming>, cap: usize) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let stated = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|n| n.to_str().ok()?.parse::<u64>().ok());
    if stated.is_some_and(|n| n > cap as u64) {
        return Err(Problem::new(Code::PayloadTooLarge));
    }
    let body = Limited::new(request.body_mut(), cap).collect();
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

/// The generation of the last event that a watcher was told, when it comes back.
fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(id) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let generation = id.to_str().ok().and_then(|id| id.parse().ok());
    let wrong = Problem::bad_request("Last-Event-ID takes the id of the last event");
    generation.map(Some).ok_or(wrong)
}

fn token(profile: &ProfileName, served: &Served, plain: bool) -> Said {
    if plain {
        let token = served.held.token.expose().as_bytes();
        return said(TEXT, [token, b"\n"].concat());
    }
    let stale = served.freshness.is_stale();
    said(
        JSON,
        TokenReply::line(profile, &served.held, stale, served.at),
    )
}

fn text(body: &str) -> Said {
    said(TEXT, body.as_bytes().to_vec())
}

fn json<T: Serialize>(body: &T) -> Said {
    // Structs and maps of strings and numbers always serialise.
    let mut body = serde_json::to_vec(body).unwrap_or_default();
    body.push(b'\n');
    said(JSON, body)
}

fn said(content_type: &'static str, body: impl Into<Bytes>) -> Said {
    Said {
        content_type,
        body: Content::Whole(body.into()),
    }
}

fn watched(content_type: &'static str, feed: Feed, form: Form) -> Said {
    Said {
        content_type,
        body: Content::Watched(Box::new(Watching::new(feed, form))),
    }
}
