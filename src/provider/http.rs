//! One request to one address, and nothing else: no redirect is followed, no proxy is used unasked, nothing is sent
//! in the clear, a connection is kept open for 5 s at most, and every answer has a deadline and a cap.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use reqwest::header::{self, HeaderValue};
use reqwest::{Client, RequestBuilder, Response};
use url::Url;

use super::answer::Answer;
use super::body::SecretBody;
use super::exchange;
use crate::config::{Origin, Proxy};
use crate::credential::Ca;
use crate::fault::{Fault, FaultKind};
use crate::instant::UnixTime;
use classify::classify;
use client::build;
use content::{Unread, read};
use head::head;
use kept::Kept;
pub use reuse::limit_idle;
use route::Route;
use shared::Shared;

mod ca;
mod call;
mod classify;
mod client;
mod coding;
mod content;
mod families;
mod framing;
mod gzip;
mod head;
mod identity;
mod kept;
mod needed;
mod resolver;
mod reuse;
mod roots;
mod route;
mod settings;
mod shared;
#[cfg(not(target_os = "macos"))]
mod system;
#[cfg(target_os = "macos")]
#[path = "http/keychain.rs"]
mod system;
mod tls;
mod unaccepted;
mod verifier;
mod wiped;

pub use ca::CaSource;
pub use call::{Call, Method};
pub(super) use resolver::ResolveError;
pub use resolver::Resolver;
pub use roots::Roots;
pub use settings::{ClientSource, Settings, Timeouts};

/// The largest answer that is read, in bytes: a token of 64 KiB, a refresh token or an ID token beside it, and room.
const MAX_BODY: usize = 160 * 1024;

/// One request. What is secret in it is in buffers that are sent themselves and then wiped; a copy would stay behind in
/// freed memory.
pub(super) struct Request {
    /// Where, with path and query.
    pub(super) url: Url,
    /// `Authorization`.
    pub(super) authorization: Option<SecretBody>,
    /// The body with its type, of a request that posts one.
    pub(super) post: Option<(&'static str, SecretBody)>,
}

/// How often a request is sent again over another connection when the one that it was sent over, which had been used
/// before, turns out to be dead. The other idle ones have most likely died with it, and the client has noticed that by then.
const RESENDS: usize = 2;

/// The clients that profiles share.
static CLIENTS: Shared<Kept> = Shared::new();

/// The client for one origin, built when it is first needed.
pub struct Http {
    origin: Origin,
    settings: Arc<Settings>,
    kept: Arc<Kept>,
}

/// What an address answered that was asked for nothing but an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The status code.
    pub status: u16,
    /// The answer's `Date` (RFC 9110 section 6.6.1), to whole seconds.
    pub server_date: Option<UnixTime>,
}

// === impl Http ===

impl Http {
    /// A client that speaks to this origin only. Nothing is read or opened yet.
    pub fn new(origin: Origin, settings: Settings) -> Self {
        let settings = Arc::new(settings);
        let kept = CLIENTS.of(&origin, &settings, || Kept::new(build));
        Self {
            origin,
            settings,
            kept,
        }
    }

    /// The origin that it speaks to.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How long one attempt to get a token may take.
    pub fn fetch_timeout(&self) -> Duration {
        self.settings.timeouts.fetch
    }

    /// Sends a request to the origin. The answer's body is read whatever its type says, but for that of a redirect. A
    /// secret in the request is bound to the certificates `ca`, and goes to no server that others vouch for.
    ///
    /// # Errors
    /// A [`Fault`] when there is no answer, or not the whole of one that matters, or when nothing was sent.
    pub(super) async fn send(&self, request: Request, ca: Option<&Ca>) -> Result<Answer, Fault> {
        let Request {
            url,
            authorization,
            post,
        } = request;
        // Proxy, roots and the demand for TLS were chosen for this origin.
        if !self.origin.is_of(&url) {
            let what = format!("a request to another address than {}", self.origin);
            return Err(Fault::new(FaultKind::Connect, what));
        }
        let client = self.client(ca).await?;
        let mut request = match post {
            None => client.get(url),
            Some((content_type, body)) => client
                .post(url)
                .header(header::CONTENT_TYPE, HeaderValue::from_static(content_type))
                .body(Bytes::from_owner(body)),
        };
        if let Some(authorization) = authorization {
            // Only a line end would not be a value, and there is none in base64.
            let value = HeaderValue::from_maybe_shared(Bytes::from_owner(authorization));
            let mut value = value.map_err(|_| {
                Fault::new(
                    FaultKind::Rejected,
                    "the credential cannot be put into a header",
                )
            })?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        exchange::begins();
        let response = self.framed(self.first_of(request).await?)?;
        let mut answer = head(&response);
        answer.body = needed::body(&answer, self.read(response, MAX_BODY)).await?;
        Ok(answer)
    }

    /// Sends a call to the origin's API, with a token that is bound to the certificates `ca`, and reads the whole answer. A
    /// call that changes something is sent once: the server may have executed it before the connection broke.
    ///
    /// # Errors
    /// A [`Fault`] when there is no answer, or not the whole of one, or when nothing was sent.
    pub async fn call(&self, call: Call<'_>, ca: Option<&Ca>) -> Result<Answer, Fault> {
        if !self.origin.is_of(&call.url) {
            let what = format!("a request to another address than {}", self.origin);
            return Err(Fault::new(FaultKind::Connect, what));
        }
        let client = self.client(ca).await?;
        let (max, is_repeatable) = (call.max_answer, call.method == Method::Get);
        let request = call.request(&client)?;
        let response = if is_repeatable {
            self.first_of(request).await?
        } else {
            request.send().await.map_err(|error| self.fault(&error))?
        };
        let response = self.framed(response)?;
        let mut answer = head(&response);
        if answer.is_json() {
            let read = self.read(response, max).await;
            answer.body = read.map_err(|(fault, _)| fault)?;
        }
        Ok(answer)
    }

    /// Sends a request until there is an answer. It is sent again only if the connection had been used before and broke
    /// before an answer: the server, or what is in between, had most likely closed it while it was idle.
    async fn first_of(&self, request: RequestBuilder) -> Result<Response, Fault> {
        let first = std::iter::repeat_with(|| request.try_clone()).take(RESENDS);
        for this in first.flatten() {
            let (response, is_reused) = reuse::watched(this.send()).await;
            let error = match response {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            let fault = self.fault(&error);
            if !is_reused || error.is_connect() || fault.kind != FaultKind::Reset {
                return Err(fault);
            }
        }
        request.send().await.map_err(|error| self.fault(&error))
    }

    /// Asks for an address of the origin, with no credential, and reads the head of the answer alone: whether it can be reached
    /// and what its clock says. Every status is an answer.
    ///
    /// # Errors
    /// A [`Fault`] when there is no answer.
    pub async fn reach(&self, url: Url) -> Result<Reached, Fault> {
        let client = self.client(None).await?;
        let request = client.get(url);
        let response = request.send().await.map_err(|error| self.fault(&error))?;
        let head = head(&response);
        Ok(Reached {
            status: head.status,
            server_date: head.server_date(),
        })
    }

    /// A client for a request with a secret that is bound to `ca`.
    async fn client(&self, ca: Option<&Ca>) -> Result<Client, Fault> {
        let is_shared = Arc::strong_count(&self.kept) > 1;
        self.kept
            .client(&self.origin, &self.settings, ca, is_shared)
            .await
    }

    /// The response, if it says in a usable way where it ends. Its connection is closed otherwise.
    fn framed(&self, response: Response) -> Result<Response, Fault> {
        framing::check(response.headers()).map_err(|name| {
            let what = format!("{} answered with a {name} that cannot be used", self.origin);
            Fault::new(FaultKind::Malformed, what)
        })?;
        Ok(response)
    }

    /// The body, up to the cap; or why it was not read, and how it begins.
    async fn read(&self, from: Response, max: usize) -> Result<SecretBody, (Fault, SecretBody)> {
        let mut body = SecretBody::default();
        let fault = match read(from, max, &mut body).await {
            Ok(()) => return Ok(body),
            Err(Unread::Useless(kind, how)) => {
                Fault::new(kind, format!("{} answered {how}", self.origin))
            }
            Err(Unread::Broken(error)) => self.fault(&error),
        };
        Err((fault, body))
    }

    fn fault(&self, error: &reqwest::Error) -> Fault {
        let fault = classify(error, &self.route(), &self.settings.timeouts);
        if fault.kind == FaultKind::TlsUntrusted {
            // The roots may be mended while we run; the next attempt reads them again.
            self.kept.forget();
        }
        fault
    }

    fn route(&self) -> Route {
        let proxy = match &self.settings.proxy {
            _ if self.origin.is_loopback() => None,
            Proxy::Direct => None,
            Proxy::Http(proxy) => {
                let proxy = proxy.url().origin().ascii_serialization();
                Some(format!("the proxy {proxy}"))
            }
            Proxy::Environment => Some("the proxy that the environment names, if any".to_owned()),
        };
        Route {
            at: self.origin.to_string(),
            proxy,
            has_ca_file: self.settings.roots != Roots::System,
            shows_certificate: self.settings.client_certificate.is_some(),
        }
    }
}

#[cfg(test)]
mod tests;
