//! One HTTP request to one address, with limits.
//!
//! It follows no redirect, uses no proxy unless it is configured, and sends nothing unencrypted. An idle connection
//! is closed within 5 s. Every answer has a deadline and a maximum size.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use hyper::Response;
use hyper::body::{Body, Bytes, Incoming};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::answer::IssuerResponse;
use super::body::SecretBody;
use super::exchange;
use crate::config::{Origin, Proxy};
use crate::credential::Ca;
use crate::fault::{Fault, FaultKind};
use crate::instant::UnixTime;
use classify::{classify, is_connect};
use client::Client;
use client_cache::ClientCache;
use content::{BodyError, read};
use exceeded::{Exceeded, Failure};
use head::head;
use request::SharedRequest;
pub use reuse::limit_idle;
use route::Route;
use shared::Shared;

mod ca;
mod call;
mod caller;
mod classify;
mod client;
mod client_cache;
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

/// The maximum size of an answer, in bytes: a token of 64 KiB, a refresh token or an ID token, and a margin.
const MAX_BODY: usize = 160 * 1024;

/// How often a request is sent again after a reused connection turned out to be dead. The other idle connections have
/// most likely died with it, and the client has noticed that by then.
const RESENDS: usize = 2;

/// The clients for token requests, which profiles share.
static CLIENTS: Shared<ClientCache<Client>> = Shared::new();

/// The clients for calls, which profiles share.
static CALLERS: Shared<ClientCache<reqwest::Client>> = Shared::new();

/// The clients for one origin, each built on first use.
pub struct Http {
    origin: Origin,
    settings: Arc<Settings>,
    kept: Arc<ClientCache<Client>>,
    callers: Arc<ClientCache<reqwest::Client>>,
}

/// The answer to a test of whether an address can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeAnswer {
    /// The status code.
    pub status: u16,
    /// The answer's `Date` (RFC 9110 section 6.6.1), to whole seconds.
    pub server_date: Option<UnixTime>,
}

// === impl Http ===

impl Http {
    /// Makes the clients for this origin. Reads no file and opens no connection yet.
    pub fn new(origin: Origin, settings: Settings) -> Self {
        let settings = Arc::new(settings);
        let kept = CLIENTS.of(&origin, &settings, || ClientCache::new(client::build));
        let callers = CALLERS.of(&origin, &settings, || ClientCache::new(caller::build));
        Self {
            origin,
            settings,
            kept,
            callers,
        }
    }

    /// Returns the clients' origin.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the deadline of one attempt to get a token.
    pub fn fetch_timeout(&self) -> Duration {
        self.settings.timeouts.fetch
    }

    /// Sends a request to the origin. Reads the body of every answer except a redirect, whatever its content type. A
    /// secret in the request is bound to the certificates `ca`, and goes only to a server that they vouch for.
    ///
    /// # Errors
    /// A [`Fault`] if there is no answer, if a body that matters is incomplete, or if the request was not sent.
    pub(super) async fn send(
        &self,
        request: Request,
        ca: Option<&Ca>,
    ) -> Result<IssuerResponse, Fault> {
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

    /// Sends a call to the origin's API, with a token that is bound to the certificates `ca`, and reads the whole
    /// answer. A call that changes something is sent once: the server may execute it before the connection breaks.
    ///
    /// # Errors
    /// A [`Fault`] if there is no complete answer, or if the call was not sent.
    pub async fn call(&self, call: Call<'_>, ca: Option<&Ca>) -> Result<IssuerResponse, Fault> {
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

    /// Sends a request until there is an answer. Repeats it only if a reused connection broke before an answer: the
    /// server or a middlebox had most likely closed it while it was idle.
    async fn first_of(
        &self,
        client: &Client,
        request: SharedRequest,
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

    /// Requests an address of the origin without a credential and reads only the head of the answer. It shows whether
    /// the address can be reached, and the server's clock. Every status is a success.
    ///
    /// # Errors
    /// A [`Fault`] if there is no answer.
    pub async fn reach(&self, url: Url) -> Result<ProbeAnswer, Fault> {
        self.is_ours(&url)?;
        let client = self.client(None).await?;
        let request = request::get(&url)?;
        let response = client
            .send(request, self.settings.timeouts.deadline())
            .await;
        let head = head(&response.map_err(|error| self.fault(&*error))?);
        Ok(ProbeAnswer {
            status: head.status,
            server_date: head.server_date(),
        })
    }

    /// Returns a client for a request with a secret that is bound to `ca`.
    async fn client(&self, ca: Option<&Ca>) -> Result<Client, Fault> {
        let is_shared = Arc::strong_count(&self.kept) > 1;
        self.kept
            .client(&self.origin, &self.settings, ca, is_shared)
            .await
    }

    /// Refuses an address of another origin: the proxy, the roots and TLS were chosen for this one.
    fn is_ours(&self, url: &Url) -> Result<(), Fault> {
        if self.origin.is_of(url) {
            return Ok(());
        }
        let what = format!("a request to another address than {}", self.origin);
        Err(Fault::new(FaultKind::Connect, what))
    }

    /// Checks that the response states clearly where it ends. Otherwise its connection is closed.
    fn framed<B>(&self, response: Response<B>) -> Result<Response<B>, Fault> {
        framing::check(response.headers()).map_err(|name| {
            let what = format!("{} answered with a {name} that cannot be used", self.origin);
            Fault::new(FaultKind::Malformed, what)
        })?;
        Ok(response)
    }

    /// Returns the body, up to the cap; or why it was not read, with its beginning.
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
            Err(BodyError::Unusable(kind, how)) => {
                Fault::new(kind, format!("{} answered {how}", self.origin))
            }
            Err(BodyError::Broken(error)) => self.fault(&*error),
        };
        Err((fault, body))
    }

    fn fault(&self, error: &(dyn Error + 'static)) -> Fault {
        let fault = classify(error, &self.route(), &self.settings.timeouts);
        if fault.kind == FaultKind::TlsUntrusted {
            // A person may correct the roots while this process runs, so the next attempt reads them again.
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
