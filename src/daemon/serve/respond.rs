//! Answers one HTTP request.

use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, HeaderValue, PRAGMA};
use hyper::{HeaderMap, Request, Response, StatusCode};

use super::super::keep::wait_limit::WaitLimit;
use super::super::service::{Printed, RunAnswer, Service, SocketKind};
use super::at_once::{Reached, at_once};
use super::body::AnswerBody;
use super::connection_progress::BusyGuard;
use super::memory::{Account, refusal};
use super::oauth2::oauth2_token;
use super::openapi;
use super::printers::{Events, StepLines};
use super::reply::{Content, EVENTS, FRAMES, Failure, LINES, ReloadReply, Reply, wants_plain};
use super::request_body::{LAST_EVENT_ID, RequestBody};
use super::response::{self, JSON};
use super::routes::{OAUTH2_TOKEN, Route};
use super::streamed::Form;
use crate::dialect::http::oauth2::refusal::Refusal;
use crate::policy::Peer;
use crate::problem::Problem;
use crate::profile::ProfileName;
use crate::query::{Question, RotateQuery, WatchQuery};
use crate::wire::frame::{Invocation, MalformedFrame};
use crate::wire::locking::UnlockQuery;
use crate::wire::reload::ReloadQuery;
use crate::wire::rotation::RotateBody;
use crate::wire::token_issued::TokenIssued;
use crate::wire::{DEFAULT_MAX_WAIT, MAX_BODY, MAX_FRAME, Rejected};

/// Builds the response with the reply to a request for a held token. The map of the request's headers becomes that of
/// the response.
pub(super) fn with_held(
    reply: Reply,
    request: &mut Request<Incoming>,
    busy: BusyGuard,
) -> Response<AnswerBody> {
    let headers = std::mem::take(request.headers_mut());
    response::accept(headers, reply.content_type, body(reply.body, busy))
}

/// Answers one request.
pub(super) async fn respond(
    service: &Service,
    account: &Account,
    peer: &Peer,
    door: SocketKind,
    request: &mut Request<Incoming>,
    busy: BusyGuard,
) -> Response<AnswerBody> {
    let is_oauth2 = request.uri().path() == OAUTH2_TOKEN;
    let answer = match at_once(service, &peer.caller, door, request) {
        Ok(Reached::Reply(reply)) => Ok(reply),
        // Box the future of everything that may wait, and only when it is needed. Inline, it would be moved with every
        // request.
        Ok(Reached::Route(route)) => {
            busy.pends();
            Box::pin(answer(service, account, peer, door, request, route, &busy)).await
        }
        Err(problem) => Err(Failure::Problem(problem)),
    };
    let path = request.uri().path();
    let now = || service.clock.now();
    if let Ok(reply) = &answer {
        busy.made(reply.own_bytes());
    }
    let mut response = match answer.and_then(|reply| reply.charged(account, now)) {
        Ok(reply) => {
            let headers = HeaderMap::default();
            response::accept(headers, reply.content_type, body(reply.body, busy))
        }
        Err(Failure::Oauth2(refusal)) => response::refuse_oauth2(&refusal, now(), busy),
        Err(Failure::Problem(problem)) if is_oauth2 => {
            response::refuse_oauth2(&Refusal::from(problem), now(), busy)
        }
        Err(Failure::Problem(problem)) => response::refuse(&problem, now(), busy),
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

fn body(content: Content, busy: BusyGuard) -> AnswerBody {
    match content {
        Content::Own(bytes) | Content::Shared(bytes) => AnswerBody::whole(bytes, busy),
        Content::Token(pieces) => AnswerBody::whole(pieces, busy),
        Content::Streamed(stream) => AnswerBody::streamed(stream, busy),
    }
}

async fn answer(
    service: &Service,
    account: &Account,
    peer: &Peer,
    door: SocketKind,
    request: &mut Request<Incoming>,
    route: Route,
    busy: &BusyGuard,
) -> Result<Reply, Failure> {
    let caller = &peer.caller;
    let body = if request.body().is_end_stream() {
        RequestBody::default()
    } else {
        let (cap, now) = (cap_of_body(&route), service.clock.now());
        let read = async {
            match cap {
                Some(cap) => RequestBody::read(request, cap, account, now).await,
                None => RequestBody::skip(request, MAX_BODY, account, now)
                    .await
                    .map(|()| RequestBody::default()),
            }
        };
        busy.receives(read).await?
    };
    match route {
        Route::Ask(_, asked)
            if matches!(*asked, Question::Profiles(None, _)) && account.is_lacking() =>
        {
            Err(refusal(service.clock.now()).into())
        }
        Route::Ask(content_type, asked) => {
            printed(service, peer, door, content_type, *asked, busy).await
        }
        Route::Healthz => Ok(Reply::text("ok\n")),
        Route::Version => Ok(Reply::json(&service.version())),
        Route::Openapi => Ok(Reply::shared(JSON, openapi::document())),
        Route::Token {
            profile,
            min_valid,
            max_wait,
        } => {
            let max_wait = WaitLimit::at(&busy.seat(), max_wait);
            let (_, served) = service
                .token(caller, Some(&profile), min_valid, max_wait)
                .await?;
            Ok(Reply::token(&profile, &served, wants_plain(request)))
        }
        Route::Reject { profile, max_wait } => {
            let which = Rejected::from_json(&body).map_err(Problem::bad_request)?;
            drop(body);
            let max_wait = WaitLimit::at(&busy.seat(), max_wait);
            let (_, served) = service
                .reject(caller, Some(&profile), &which, max_wait)
                .await?;
            Ok(Reply::token(&profile, &served, wants_plain(request)))
        }
        Route::Oauth2Token => {
            let max_wait = WaitLimit::at(&busy.seat(), DEFAULT_MAX_WAIT);
            oauth2_token(service, caller, request.headers(), body, max_wait).await
        }
        Route::Helper => {
            let run = Invocation::parse(&body)
                .map_err(|MalformedFrame(why)| Problem::bad_request(why))?;
            drop(body);
            Ok(match service.run(run, peer, door, &busy.seat()).await {
                RunAnswer::Whole(answer, held) => {
                    let bytes = std::mem::take(&mut *answer.to_bytes());
                    Reply::printed(FRAMES, bytes, held.as_deref())
                }
                RunAnswer::Watch(feed, print) => {
                    Reply::streamed(FRAMES, feed, Form::frames(print, service.socket.clone()))
                }
                RunAnswer::Rotation(feed, print) => {
                    Reply::streamed(FRAMES, feed, Form::frames(print, service.socket.clone()))
                }
            })
        }
        Route::Watch(name) => {
            let query = WatchQuery {
                profile: Some(name),
                since: last_event_id(request.headers())?,
            };
            let asked = Question::Watch(query, Box::new(Events));
            printed(service, peer, door, EVENTS, asked, busy).await
        }
        Route::Rotate(name) => {
            let query = rotate_query(name, &body)?;
            drop(body);
            let asked = Question::Rotate(query, Box::new(StepLines));
            printed(service, peer, door, LINES, asked, busy).await
        }
        Route::Reload => {
            let query = ReloadQuery::from_json(&body).map_err(Problem::bad_request)?;
            let is_asked = !body.is_empty();
            drop(body);
            let (done, source) = service.reload(query).await?;
            let source = Some(source).filter(|_| is_asked);
            Ok(Reply::json(&ReloadReply::new(done, source)))
        }
        Route::Lock => Ok(Reply::json(&service.lock().await?)),
        Route::Unlock => {
            let query = UnlockQuery::from_json(&body).map_err(Problem::bad_request)?;
            Ok(Reply::json(&service.unlock(query.identity).await?))
        }
        Route::TokenIssued => {
            let issued = TokenIssued::from_json(&body).map_err(Problem::bad_request)?;
            drop(body);
            Ok(Reply::json(&service.token_issued(&issued).await))
        }
    }
}

/// Asks the service, and prints the answer as a body of this type.
async fn printed(
    service: &Service,
    peer: &Peer,
    door: SocketKind,
    content_type: &'static str,
    asked: Question,
    busy: &BusyGuard,
) -> Result<Reply, Failure> {
    Ok(match service.ask(asked, peer, door, &busy.seat()).await? {
        Printed::Whole(mut reply, held) => {
            let bytes = std::mem::take(&mut *reply.stdout);
            Reply::printed(content_type, bytes, held.as_deref())
        }
        Printed::Watch(feed, print) => {
            let socket = service.socket.clone();
            Reply::streamed(content_type, feed, Form::Plain { print, socket })
        }
        Printed::Rotation(feed, print) => {
            let socket = service.socket.clone();
            Reply::streamed(content_type, feed, Form::Plain { print, socket })
        }
    })
}

/// Returns the size limit of a request's body, or `None` for a route that takes no body.
const fn cap_of_body(route: &Route) -> Option<usize> {
    match route {
        Route::Helper => Some(MAX_FRAME),
        Route::Oauth2Token
        | Route::Reject { .. }
        | Route::Reload
        | Route::Rotate(_)
        | Route::TokenIssued
        | Route::Unlock => Some(MAX_BODY),
        Route::Ask(..)
        | Route::Healthz
        | Route::Lock
        | Route::Openapi
        | Route::Version
        | Route::Token { .. }
        | Route::Watch(_) => None,
    }
}

/// Parses the rotation that a request asks for.
fn rotate_query(profile: ProfileName, body: &[u8]) -> Result<RotateQuery, Problem> {
    let body = RotateBody::from_json(body).map_err(Problem::bad_request)?;
    let with = body.with.as_deref().map(ProfileName::parse).transpose();
    Ok(RotateQuery {
        profile: Some(profile),
        in_place: body.in_place,
        finish: body.finish,
        take_over: body.take_over,
        with: with.map_err(|_| Problem::bad_request("'with' takes the name of a profile"))?,
        wait: body.wait,
    })
}

/// Returns the generation of the last event that a reconnecting watcher received.
fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(id) = headers.get(LAST_EVENT_ID) else {
        return Ok(None);
    };
    let generation = id.to_str().ok().and_then(|id| id.parse().ok());
    let wrong = Problem::bad_request("Last-Event-ID takes the id of the last event");
    generation.map(Some).ok_or(wrong)
}
