//! The HTTP client for exchanges with an issuer.

use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::sign::CertifiedKey;
use tokio::time::{Instant, timeout_at};

use super::connection::Allowance;
use super::connector::Connector;
use super::exceeded::{Exceeded, Failure};
use super::{Settings, interim, reuse};
use crate::config::Origin;
use crate::credential::Ca;
use crate::fault::Fault;

/// A client for one origin. It follows no redirect, and never repeats a request that the server may have read. Clones
/// share its connections.
#[derive(Clone)]
pub(super) struct Client(legacy::Client<Connector, Full<Bytes>>);

/// Builds a client. Blocks, because it reads files.
///
/// # Errors
/// A [`Fault`] if a file cannot be used.
pub(super) fn build(
    origin: &Origin,
    settings: &Settings,
    identity: Option<Arc<CertifiedKey>>,
    ca: Option<&Ca>,
    max_idle: usize,
) -> Result<Client, Fault> {
    // Without TLS no roots are needed, and a system may have none.
    let tls = origin.is_https().then(|| settings.roots.tls(identity, ca));
    let connector = Connector::new(origin, settings, tls.transpose()?);
    let client = legacy::Client::builder(TokioExecutor::new())
        // Tolerate malformed headers that decide nothing (RFC 9112 sections 5.1 and 5.2): a folded line, a space
        // before the colon, and a line with an invalid character in its value, which is dropped.
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(reuse::IDLE)
        .pool_max_idle_per_host(max_idle)
        .build(connector);
    Ok(Client(client))
}

impl Client {
    /// Sends a request, and returns the answer when its head is complete.
    ///
    /// # Errors
    /// A [`Failure`], also if the deadline passes or too many interim answers arrive.
    pub(super) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<Response<Incoming>, Failure> {
        let answered = interim::limited(request, |request| self.0.request(request));
        let answered = timeout_at(deadline, answered).await;
        let response = answered.map_err(|_| Exceeded::Deadline)???;
        if let Some(allowance) = response.extensions().get::<Allowance>() {
            allowance.lift();
        }
        Ok(response)
    }
}
