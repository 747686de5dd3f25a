//! The reply to a request, before it becomes an HTTP response.

use hyper::Request;
use hyper::body::Bytes;
use hyper::header::ACCEPT;
use serde::Serialize;

use super::super::keep::handle::ServedToken;
use super::memory::{Account, refusal};
use super::response::{JSON, TEXT};
use super::streamed::{EventSource, Form, Stream, Streamed};
use crate::dialect::http::oauth2::refusal::Refusal;
use crate::instant::Now;
use crate::lifecycle::HeldToken;
use crate::problem::Problem;
use crate::profile::ProfileName;
use crate::query::{Reloaded, SocketModeChange};
use crate::token::{self, Pieces};
use crate::wire::TokenReply;
use crate::wire::reload::Source;

pub(super) const EVENTS: &str = "text/event-stream";
pub(super) const LINES: &str = "application/x-ndjson";
pub(super) const FRAMES: &str = "application/vnd.jeton.frame";

/// The reply to a request that succeeded.
pub(super) struct Reply {
    pub(super) content_type: &'static str,
    pub(super) body: Content,
}

/// The body of a reply.
pub(super) enum Content {
    /// Bytes made for this reply only.
    Own(Bytes),
    /// Bytes that all replies of this kind share.
    Shared(Bytes),
    /// Pieces around a token whose bytes all replies share. The allocator wipes the bytes when the last reference is
    /// dropped. Zeroizing them explicitly would wipe them a second time, byte by byte, on the hot path.
    Token(Pieces),
    /// Written event by event.
    Streamed(Box<dyn Streamed>),
}

/// Why a request failed.
pub(super) enum Failure {
    /// Reported as a problem document.
    Problem(Problem),
    /// Reported as an OAuth 2.0 error.
    Oauth2(Refusal),
}

/// The changes that a reload made.
#[derive(Serialize)]
pub(super) struct ReloadReply {
    added: usize,
    removed: usize,
    changed: usize,
    kept: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    restart_needed: bool,
    /// Present if the request has a body. Without a body, the reply stays as in every earlier version.
    #[serde(flatten)]
    source: Option<Source>,
}

// === impl Reply ===

impl Reply {
    /// Creates a reply from a body of this content type.
    pub(super) fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            content_type,
            body: Content::Own(body.into()),
        }
    }

    /// Creates a reply whose bytes all replies of this kind share.
    pub(super) const fn shared(content_type: &'static str, body: Bytes) -> Self {
        Self {
            content_type,
            body: Content::Shared(body),
        }
    }

    /// Creates a reply from a line of text.
    pub(super) fn text(body: &str) -> Self {
        Self::new(TEXT, body.as_bytes().to_vec())
    }

    /// Creates a reply from JSON and a newline.
    pub(super) fn json<T: Serialize>(body: &T) -> Self {
        // Structs and maps of strings and numbers always serialise.
        let mut body = serde_json::to_vec(body).unwrap_or_default();
        body.push(b'\n');
        Self::new(JSON, body)
    }

    /// Creates a reply with a token, bare or as JSON.
    pub(super) fn token(profile: &ProfileName, served: &ServedToken, plain: bool) -> Self {
        if plain {
            let token = served.held.token.expose().as_bytes();
            return Self::around(TEXT, [token, b"\n"].concat(), &served.held);
        }
        let stale = served.freshness.is_stale();
        Self {
            content_type: JSON,
            body: Content::Token(TokenReply::line(profile, &served.held, stale, served.at)),
        }
    }

    /// Creates a reply that contains this token.
    pub(super) fn around(content_type: &'static str, answer: Vec<u8>, held: &HeldToken) -> Self {
        Self {
            content_type,
            body: Content::Token(token::share(answer, &held.token)),
        }
    }

    /// Creates a reply that contains this token, if there is one.
    pub(super) fn printed(
        content_type: &'static str,
        answer: Vec<u8>,
        held: Option<&HeldToken>,
    ) -> Self {
        match held {
            Some(held) => Self::around(content_type, answer, held),
            None => Self::new(content_type, answer),
        }
    }

    /// Returns the number of bytes that were made for this reply only.
    pub(super) fn own_bytes(&self) -> usize {
        match &self.body {
            Content::Own(bytes) => bytes.len(),
            Content::Shared(_) | Content::Token(_) | Content::Streamed(_) => 0,
        }
    }

    /// Charges the reply's own bytes to `account`. A reply with a token is never refused, because it holds little
    /// besides the shared token.
    ///
    /// # Errors
    /// `unavailable` if there is no memory for a reply of this size.
    pub(super) fn charged(
        mut self,
        account: &Account,
        now: impl FnOnce() -> Now,
    ) -> Result<Self, Failure> {
        if let Content::Own(bytes) = self.body {
            self.body = Content::Own(account.hold(bytes).ok_or_else(|| refusal(now()))?);
        }
        Ok(self)
    }

    /// Creates a reply that streams the events of `source` in this form.
    pub(super) fn streamed<S: EventSource>(
        content_type: &'static str,
        source: S,
        form: Form<S::News>,
    ) -> Self {
        Self {
            content_type,
            body: Content::Streamed(Box::new(Stream::new(source, form))),
        }
    }
}

// === impl Failure ===

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Oauth2(refusal)
    }
}

// === impl ReloadReply ===

impl ReloadReply {
    /// Creates the reply from the result of a reload. `source` is the origin of the configuration, if the request asks
    /// for it.
    pub(super) fn new(done: Reloaded, source: Option<Source>) -> Self {
        Self {
            added: done.added,
            removed: done.removed,
            changed: done.changed,
            kept: done.kept,
            restart_needed: done.socket != SocketModeChange::Nothing,
            source,
        }
    }
}

/// Whether the client wants the bare token: it accepts plain text and does not accept JSON.
pub(super) fn wants_plain<B>(request: &Request<B>) -> bool {
    let (mut plain, mut json) = (false, false);
    for value in request.headers().get_all(ACCEPT) {
        let parts = value.as_bytes().split(|byte| matches!(byte, b',' | b';'));
        for part in parts.map(<[u8]>::trim_ascii) {
            plain |= part == b"text/plain";
            json |= part == JSON.as_bytes();
        }
    }
    plain && !json
}
