//! One request to one address, and nothing else: no redirect is followed, no proxy is used unasked, nothing is sent
//! in the clear, a connection is kept open for 5 s at most, and every answer has a deadline and a cap.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use hyper::Response;
use hyper::body::{Body, Bytes, Incoming};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::answer::Answer;
use super::body::SecretBody;
use super::exchange;
use crate::config::{Origin, Proxy};
use crate::credential::Ca;
use crate::fault::{Fault, FaultKind};
use crate::instant::UnixTime;
use classify::{classify, is_connect};
use client::Client;
use content::{Unread, read};
use exceeded::{Exceeded, Failure};
use head::head;
use kept::Kept;
use request::Sent;
pub use reuse::limit_idle;
use route::Route;
use shared::Shared;

mod ca;
mod call;
mod caller;
mod classify;
mod client;
mod coding;
mod connection;
mod connector;
mod content;
mod exceeded;
mod families;
mod framing;
mod gzip;
mod head;
mod headers;
mod identity;
mod interim;
mod kept;
mod needed;
mod request;
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
pub(super) use request::Request;
pub(super) use resolver::ResolveError;
pub use resolver::Resolver;
pub use roots::Roots;
pub use settings::{ClientSource, Settings, Timeouts};

/// The largest answer that is read, in bytes: a token of 64 KiB, a refresh token or an ID token beside it, and room.
const MAX_BODY: usize = 160 * 1024;

/// How often a request is sent again over another connection when the one that it was sent over, which had been used
/// before, turns out to be dead. The other idle ones have most likely died with it, and the client has noticed that by then.
const RESENDS: usize = 2;

/// The clients that profiles share.
static CLIENTS: Shared<Kept<Client>> = Shared::new();

/// The clients for calls, shared likewise.
static CALLERS: Shared<Kept<reqwest::Client>> = Shared::new();

/// The clients for one origin, each built when it is first needed.
pub struct Http {
    origin: Origin,
    settings: Arc<Settings>,
    kept: Arc<Kept<Client>>,
    callers: Arc<Kept<reqwest::Client>>,
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
    /// Clients that speak to this origin only. Nothing is read or opened yet.
    pub fn new(origin: Origin, settings: Settings) -> Self {
        let settings = Arc::new(settings);
        let kept = CLIENTS.of(&origin, &settings, || Kept::new(client::build));
        let callers = CALLERS.of(&origin, &settings, || Kept::new(caller::build));
        Self {
            origin,
            settings,
            kept,
            callers,
        }
    }

    /// The origin that they speak to.
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
        self.is_ours(&request.url)?;
        let client = self.client(ca).await?;
        let request = request.sent()?;
        exchange::begins();
        let (response, deadline) = self.first_of(&client, request).await?;
        let response = self.framed(response)?;
        let mut answer = head(&response);
        let body = self.read(response.into_body(), MAX_BODY, deadline);
        answer.body = needed::body(&answer, body).await?;
        Ok(answer)
    }

    /// Sends a call to the origin's API, with a token that is bound to the certificates `ca`, and reads the whole answer. A
    /// call that changes something is sent once: the server may have executed it before the connection broke.
    ///
    /// # Errors
    /// A [`Fault`] when there is no answer, or not the whole of one, or when nothing was sent.
    pub async fn call(&self, call: Call<'_>, ca: Option<&Ca>) -> Result<Answer, Fault> {
        self.is_ours(&call.url)?;
        let callers = &self.callers;
        let client = callers.client(&self.origin, &self.settings, ca, false);
        let client = client.await?;
        let max = call.max_answer;
        let request = call.request(&client)?;
        let deadline = self.settings.timeouts.deadline();
        let response = timeout_at(deadline, request.send()).await;
        let response = response.map_err(|_| self.fault(&Exceeded::Deadline))?;
        let response = response.map_err(|error| self.fault(&error))?;
        let response = self.framed(Response::from(response))?;
        let mut answer = head(&response);
        if answer.is_json() {
            let read = self.read(response.into_body(), max, deadline).await;
            answer.body = read.map_err(|(fault, _)| fault)?;
        }
        Ok(answer)
    }

    /// Sends a request until there is an answer. It is sent again only if the connection had been used before and broke
    /// before an answer: the server, or what is in between, had most likely closed it while it was idle.
    async fn first_of(
        &self,
        client: &Client,
        request: Sent,
    ) -> Result<(Response<Incoming>, Instant), Fault> {
        let mut resends = RESENDS;
        loop {
            let deadline = self.settings.timeouts.deadline();
            let send = client.send(request.clone(), deadline);
            let (response, is_reused) = reuse::watched(send).await;
            let error = match response {
                Ok(response) => return Ok((response, deadline)),
                Err(error) => error,
            };
            let fault = self.fault(&*error);
            let died = is_reused && !is_connect(&*error) && fault.kind == FaultKind::Reset;
            if !died || resends == 0 {
                return Err(fault);
            }
            resends -= 1;
        }
    }

    /// Asks for an address of the origin, with no credential, and reads the head of the answer alone: whether it can be reached
    /// and what its clock says. Every status is an answer.
    ///
    /// # Errors
    /// A [`Fault`] when there is no answer.
    pub async fn reach(&self, url: Url) -> Result<Reached, Fault> {
        self.is_ours(&url)?;
        let client = self.client(None).await?;
        let request = request::get(&url)?;
        let response = client
            .send(request, self.settings.timeouts.deadline())
            .await;
        let head = head(&response.map_err(|error| self.fault(&*error))?);
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

    /// Refuses an address of another origin: proxy, roots and TLS were chosen for this one.
    fn is_ours(&self, url: &Url) -> Result<(), Fault> {
        if self.origin.is_of(url) {
            return Ok(());
        }
        let what = format!("a request to another address than {}", self.origin);
        Err(Fault::new(FaultKind::Connect, what))
    }

    /// The response, if it says in a usable way where it ends. Its connection is closed otherwise.
    fn framed<B>(&self, response: Response<B>) -> Result<Response<B>, Fault> {
        framing::check(response.headers()).map_err(|name| {
            let what = format!("{} answered with a {name} that cannot be used", self.origin);
            Fault::new(FaultKind::Malformed, what)
        })?;
        Ok(response)
    }

    /// The body, up to the cap; or why it was not read, and how it begins.
    async fn read<B>(
        &self,
        from: B,
        max: usize,
        deadline: Instant,
    ) -> Result<SecretBody, (Fault, SecretBody)>
    where
        B: Body<Data = Bytes, Error: Into<Failure>> + Unpin,
    {
        let mut body = SecretBody::default();
        let fault = match read(from, max, deadline, &mut body).await {
            Ok(()) => return Ok(body),
            Err(Unread::Useless(kind, how)) => {
                Fault::new(kind, format!("{} answered {how}", self.origin))
            }
            Err(Unread::Broken(error)) => self.fault(&*error),
        };
        Err((fault, body))
    }

    fn fault(&self, error: &(dyn Error + 'static)) -> Fault {
        let fault = classify(error, &self.route(), &self.settings.timeouts);
        if fault.kind == FaultKind::TlsUntrusted {
            // The roots may be mended while we run; the next attempt reads them again.
            self.kept.forget();
            self.callers.forget();
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
