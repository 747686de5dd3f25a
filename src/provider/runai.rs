//! NVIDIA Run:ai: user access keys (once called applications) and service accounts.
//!
//! The token endpoint of a control plane depends on its age. `/api/v2/token` (2.24 and later) is OAuth 2.0.
//! `/api/v1/token` is a JSON protocol of its own, with the grant `client_credentials` since 2.20, and with `app_token`
//! up to 2.19.

use std::sync::Arc;

use tokio::time::timeout;

use super::answer::RequestContext;
use super::attempt::{Checking, Fetching, Granted, Provider};
use super::http::{Http, Request, Settings};
use super::request_address::with_request_address;
use super::scope;
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::config::runai::Api;
use crate::credential::Credential;
use crate::fault::{Fault, FaultKind};

mod endpoint;
mod known;

use endpoint::{BY_AGE, Endpoint};
use known::KnownEndpoint;

/// A Run:ai control plane.
pub struct Runai {
    http: Http,
    configured: config::Runai,
    known: KnownEndpoint,
    clock: Arc<dyn Clock>,
}

/// The outcome of a request to one endpoint.
enum Outcome {
    Granted(Granted),
    /// The endpoint does not exist; another one may be tried.
    Absent(Fault),
    /// The endpoint exists, but does not have this grant; it may have another.
    NoGrant(Fault),
    /// The server did not understand the request, and does not say that the credential is wrong.
    NotUnderstood(Fault),
}

// === impl Runai ===

impl Runai {
    /// Creates the provider for the configured control plane. Opens nothing yet.
    pub fn new(configured: config::Runai, settings: Settings) -> Self {
        Self {
            http: Http::new(configured.url.origin(), settings),
            configured,
            known: KnownEndpoint::default(),
            clock: Arc::new(SystemClock),
        }
    }

    /// Requests a token at the endpoint that gave the last one, then at the others. It goes on to the next one only if
    /// an endpoint or its grant is *absent*, or if the server does not say that the credential is wrong and an older
    /// grant is left to try. An endpoint that rejects the credential or fails has decided the attempt: further requests
    /// would send the secret around for nothing. An answer that states a wait ends the attempt. So does an absence of
    /// the known endpoint, until several absences over some time have confirmed it: another server may answer in its
    /// place for a moment.
    async fn ask(&self, credential: &Credential) -> Result<Granted, Fault> {
        let known = self.known.endpoint();
        let (mut absent, mut not_understood) = (None, None);
        let mut absent_path = None;
        for endpoint in self.candidates(known) {
            if absent_path == Some(endpoint.path()) {
                continue;
            }
            match self.ask_in_both_spellings(endpoint, credential).await? {
                Outcome::Granted(granted) => return Ok(granted),
                Outcome::Absent(fault)
                    if known == Some(endpoint)
                        && !self.known.record_absent(self.clock.now().boot) =>
                {
                    return Err(fault);
                }
                // The absent endpoint may come back, so it stays the known one.
                Outcome::Absent(fault) => {
                    absent = Some(fault);
                    absent_path = Some(endpoint.path());
                }
                Outcome::NoGrant(fault) => {
                    // The grant existed and is gone: everything that was learnt about this server may have changed.
                    if known == Some(endpoint) {
                        self.known.forget();
                    }
                    absent = Some(fault);
                }
                // This very grant gave a token before, and it still exists: the server refuses something else in the
                // request.
                Outcome::NotUnderstood(fault)
                    if known == Some(endpoint) && endpoint != Endpoint::V1AppToken =>
                {
                    return Err(fault);
                }
                Outcome::NotUnderstood(fault) => {
                    not_understood.get_or_insert(fault);
                }
            }
        }
        Err(not_understood
            .or(absent)
            .unwrap_or_else(|| Fault::no_endpoint("there is no token endpoint to ask")))
    }

    /// Returns the known endpoint first, then the others that the configuration allows. If the known endpoint accepts
    /// `client_credentials`, the older grant at the same path is left out.
    fn candidates(&self, known: Option<Endpoint>) -> Vec<Endpoint> {
        let allowed = |endpoint: &Endpoint| match self.configured.api {
            Api::Auto => true,
            Api::V2 => endpoint.path() == Endpoint::V2.path(),
            Api::V1 => endpoint.path() == Endpoint::V1.path(),
        };
        let others = BY_AGE.into_iter().filter(|other| match known {
            None => true,
            Some(Endpoint::V1AppToken) => *other != Endpoint::V1AppToken,
            Some(known) => known.path() != other.path(),
        });
        known.into_iter().chain(others).filter(allowed).collect()
    }

    async fn ask_in_both_spellings(
        &self,
        endpoint: Endpoint,
        credential: &Credential,
    ) -> Result<Outcome, Fault> {
        let (rejected, other) = match self.ask_at(endpoint, credential).await? {
            Outcome::NotUnderstood(fault) => match endpoint.other_spelling() {
                Some(other) => (fault, other),
                None => return Ok(Outcome::NotUnderstood(fault)),
            },
            outcome => return Ok(outcome),
        };
        match self.ask_at(other, credential).await {
            Ok(Outcome::Granted(granted)) => Ok(Outcome::Granted(granted)),
            // Neither spelling was understood. The first one is the spelling that worked before, or else the
            // specification's.
            Ok(_) => Ok(Outcome::NotUnderstood(rejected)),
            Err(fault) => Err(fault),
        }
    }

    async fn ask_at(&self, endpoint: Endpoint, credential: &Credential) -> Result<Outcome, Fault> {
        let request = Request {
            url: self.configured.url.endpoint(endpoint.path()),
            authorization: None,
            post: Some((endpoint.content_type(), endpoint.body(credential))),
        };
        let answer = self.http.send(request, credential.ca()).await?.decodable();
        let absent = answer.is_absent();
        let no_grant = endpoint.has_no_such_grant(&answer);
        let not_understood = endpoint.is_not_understood(&answer);
        let server_date = answer.server_date();
        let at = self.http.origin().to_string();
        let scope = answer
            .members()
            .and_then(|said| scope::granted(&said, &[], credential));
        let granted = answer.into_grant(
            endpoint.spelling(),
            RequestContext {
                at: &at,
                credential,
                token_type: None,
                has_vendor_errors: true,
            },
        );
        let address = || self.configured.url.describe_endpoint(endpoint.path());
        match granted.map_err(|fault| with_request_address(fault, address)) {
            Ok(mut grant) => {
                self.known.record_token(endpoint);
                grant.scope = scope;
                Ok(Outcome::Granted(Granted { grant, server_date }))
            }
            // The next endpoint of the same server would be requested within the stated wait.
            Err(fault) if fault.states_a_wait() => Err(fault),
            Err(fault) if absent => Ok(Outcome::Absent(fault)),
            Err(fault) if no_grant => Ok(Outcome::NoGrant(fault)),
            Err(fault) => {
                if fault.is_of_credential() {
                    self.known.record_present(endpoint);
                }
                match not_understood {
                    true => Ok(Outcome::NotUnderstood(fault)),
                    false => Err(fault),
                }
            }
        }
    }
}

impl Provider for Runai {
    fn fetch<'a>(&'a self, credential: &'a Credential) -> Fetching<'a> {
        Box::pin(async move {
            let limit = self.http.fetch_timeout();
            timeout(limit, self.ask(credential))
                .await
                .unwrap_or_else(|_| {
                    let at = self.http.origin();
                    let what = format!("no token from {at} within {limit:?}");
                    Err(Fault::new(FaultKind::Timeout, what))
                })
        })
    }

    fn server(&self) -> Option<&'static str> {
        self.known.endpoint().map(Endpoint::server)
    }

    fn check_server(&self) -> Checking<'_> {
        Box::pin(async {
            // Every version has this path, and answers only requests with a token.
            let url = self.configured.url.endpoint("/api/v1/clusters");
            match self.http.reach(url).await?.status {
                401 | 403 => Ok(()),
                status => {
                    let what = format!(
                        "Run:ai does not answer at {}: a request without a token is answered {status} there",
                        self.configured.url
                    );
                    Err(Fault::no_endpoint(what))
                }
            }
        })
    }
}

#[cfg(test)]
mod against_sandbox;
#[cfg(test)]
mod tests;
