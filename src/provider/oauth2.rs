//! Any OAuth 2.0 issuer with the client-credentials grant (RFC 6749 section 4.4).
//!
//! A person decides where the secret is sent. Either the configuration names the token endpoint, or the issuer's
//! discovery document does; then the secret goes only to the endpoint that the document named when the credential was
//! enrolled. A party that can change the document later can stop the tokens, but cannot collect the secret.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::timeout;

use super::answer::{RequestContext, Spelling};
use super::attempt::{
    Checking, DiscoveredEndpoint, Discovering, FailedProof, Fetching, Granted, Proof, Provider,
    Proving,
};
use super::http::{Http, Settings};
use super::quote::without_secret;
use super::request_address::with_request_address;
use super::scope;
use crate::config;
use crate::config::oauth2::{ClientAuth, EndpointUrl, TokenEndpointSource};
use crate::credential::{Ca, Credential};
use crate::fault::{Fault, FaultKind};

mod discovery;
mod proof;
mod request;
mod target;

use discovery::Document;
use proof::{FailedRequest, RefusalSubject};
use target::{Target, refusal};

pub use discovery::LastRule;

/// An OAuth 2.0 issuer.
pub struct Oauth2 {
    place: EndpointSource,
    configured: config::Oauth2,
    settings: Settings,
}

enum EndpointSource {
    Configured(Arc<Target>),
    Discovered(Box<Discovered>),
}

struct Discovered {
    /// The issuer's identifier.
    issuer: EndpointUrl,
    http: Http,
    /// The content of the discovery document, once it agreed with the credential's binding.
    remembered: Mutex<Option<Remembered>>,
    /// Where the document was found, for the next search.
    last: Arc<LastRule>,
}

/// A token endpoint, and the certificates that vouched for the issuer whose document names it.
type Remembered = (Arc<Target>, Option<Ca>);

// === impl Oauth2 ===

impl Oauth2 {
    /// Creates the provider for a configured issuer. `last` is where its document was found last time. Opens nothing
    /// yet.
    pub fn new(configured: config::Oauth2, settings: Settings, last: Arc<LastRule>) -> Self {
        let place = match &configured.at {
            TokenEndpointSource::Token(endpoint) => EndpointSource::Configured(Arc::new(
                Target::configured(endpoint.clone(), &settings),
            )),
            TokenEndpointSource::Issuer(issuer) => {
                EndpointSource::Discovered(Box::new(Discovered {
                    issuer: issuer.clone(),
                    http: Http::new(issuer.origin(), settings.clone()),
                    remembered: Mutex::default(),
                    last,
                }))
            }
        };
        Self {
            place,
            configured,
            settings,
        }
    }

    /// Makes one request with this client authentication.
    async fn ask(
        &self,
        client_auth: ClientAuth,
        credential: &Credential,
    ) -> Result<Granted, FailedRequest> {
        let target = self.target_for(credential).await?;
        let (url, asked) = (target.endpoint.url(), &self.configured);
        let request = request::build(url, asked, client_auth, credential);
        let sent = target.http.send(request, credential.ca()).await;
        let answer = sent.inspect_err(|fault| {
            // The endpoint's name does not resolve any more, or belongs to another server: the issuer may have moved
            // the endpoint.
            if matches!(fault.kind, FaultKind::Dns | FaultKind::TlsName) {
                self.forget();
            }
        })?;
        let answer = answer.decodable();
        if answer.is_absent() || (300..400).contains(&answer.status) {
            self.forget();
        }
        let server_date = answer.server_date();
        let subject = proof::subject(&answer);
        let at = target.origin();
        let scope = answer
            .members()
            .and_then(|said| scope::granted(&said, &self.configured.scope, credential));
        let asked = RequestContext {
            at: &at,
            credential,
            token_type: self.configured.token_type.as_deref(),
            has_vendor_errors: false,
        };
        let grant = answer.into_grant(Spelling::Snake, asked);
        let mut grant = grant.map_err(|fault| {
            FailedRequest::answered(with_request_address(fault, || target.whole()), subject)
        })?;
        grant.scope = scope;
        Ok(Granted { grant, server_date })
    }

    /// Makes the configured request, and a second one if the issuer may have misread it.
    async fn prove_with_retry(&self, credential: &Credential) -> Result<Proof, FailedProof> {
        let first = self.configured.client_auth;
        let asked = |client_auth| self.in_time(self.ask(client_auth, credential));
        let proved = |granted, client_auth| Proof {
            granted,
            client_auth: Some(client_auth),
            server: None,
        };
        let refused = match asked(first).await {
            Ok(granted) => return Ok(proved(granted, first)),
            Err(failed) => failed,
        };
        let other = proof::alternative_encoding(first, credential);
        let is_of_client =
            refused.subject == RefusalSubject::Client && !refused.fault.states_a_wait();
        let Some(other) = other.filter(|_| is_of_client) else {
            return Err(unproved(refused, vec![first], other));
        };
        match asked(other).await {
            Ok(granted) => Ok(proved(granted, other)),
            // Both forms were refused, or the issuer cannot read the second one: the first fault is the useful one.
            Err(again) if again.subject != RefusalSubject::Other => {
                Err(unproved(refused, vec![first, other], None))
            }
            Err(again) => Err(unproved(again, vec![first, other], None)),
        }
    }

    /// Returns the token endpoint, if this credential may be sent to it.
    async fn target_for(&self, credential: &Credential) -> Result<Arc<Target>, Fault> {
        let place = match &self.place {
            EndpointSource::Configured(target) => {
                // The configuration names the endpoint, and so also decides for a credential that is not enrolled yet.
                if let Some(bound_to) = credential.endpoint() {
                    target.demand(bound_to)?;
                }
                return Ok(Arc::clone(target));
            }
            EndpointSource::Discovered(place) => place,
        };
        let issuers_own = place.issuer.origin().to_string();
        let known = lock(&place.remembered).clone();
        let may_have_it = |target: &Target| match credential.endpoint() {
            Some(bound_to) => target.endpoint.url().as_str() == bound_to,
            // The document decides nothing for a credential that is not enrolled: its secret may only go to the
            // issuer's own origin.
            None => target.origin() == issuers_own,
        };
        let known =
            known.filter(|(known, ca)| may_have_it(known) && ca.as_ref() == credential.ca());
        if let Some((known, _)) = known {
            return Ok(known);
        }
        // An issuer that got the secret earlier can put it into an address.
        let clean = |fault| without_secret(fault, credential);
        let found = self.discover(place, credential.ca()).await.map_err(clean)?;
        let found = Arc::new(Target::discovered(found.endpoint, &self.settings));
        if !may_have_it(&found) {
            let bound_to = credential.endpoint().unwrap_or(&issuers_own);
            let who = format!("the issuer at {issuers_own}");
            // The whole address without the secret: a person decides by it whether to enrol again.
            let named = found.endpoint.url().as_str();
            return Err(clean(refusal(named, bound_to, &who)));
        }
        *lock(&place.remembered) = Some((Arc::clone(&found), credential.ca().cloned()));
        Ok(found)
    }

    async fn discover(&self, place: &Discovered, ca: Option<&Ca>) -> Result<Document, Fault> {
        let mutual_tls = self.settings.client_certificate.is_some();
        let Discovered {
            issuer, http, last, ..
        } = place;
        discovery::discover(issuer, http, mutual_tls, ca, last).await
    }

    /// Makes the next attempt ask the issuer again for its token endpoint.
    fn forget(&self) {
        if let EndpointSource::Discovered(place) = &self.place {
            *lock(&place.remembered) = None;
        }
    }

    async fn in_time<T, E: From<Fault>>(
        &self,
        attempt: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let limit = self.settings.timeouts.fetch;
        timeout(limit, attempt).await.unwrap_or_else(|_| {
            let at = match &self.place {
                EndpointSource::Configured(target) => target.origin(),
                EndpointSource::Discovered(place) => place.issuer.origin().to_string(),
            };
            let what = format!("no token from {at} within {limit:?}");
            Err(Fault::new(FaultKind::Timeout, what).into())
        })
    }
}

impl Provider for Oauth2 {
    fn fetch<'a>(&'a self, credential: &'a Credential) -> Fetching<'a> {
        Box::pin(async move {
            let attempt = self.ask(self.configured.client_auth, credential);
            let asked = self.in_time(attempt).await;
            asked.map_err(|failed| failed.fault)
        })
    }

    fn prove<'a>(&'a self, credential: &'a Credential) -> Proving<'a> {
        Box::pin(self.prove_with_retry(credential))
    }

    fn check_server(&self) -> Checking<'_> {
        Box::pin(async {
            match &self.place {
                // The endpoint's answer to a request without a credential would prove nothing.
                EndpointSource::Configured(_) => Ok(()),
                EndpointSource::Discovered(_) => self.destination().await.map(drop),
            }
        })
    }

    fn destination(&self) -> Discovering<'_> {
        Box::pin(self.in_time(async {
            let (endpoint, auth_methods) = match &self.place {
                EndpointSource::Configured(target) => (target.endpoint.url().clone(), None),
                EndpointSource::Discovered(place) => {
                    let document = self.discover(place, None).await?;
                    (document.endpoint.url().clone(), document.auth_methods)
                }
            };
            Ok(DiscoveredEndpoint {
                endpoint,
                auth_methods,
            })
        }))
    }
}

/// Creates a failed proof; `sent` are the client authentications that were sent.
fn unproved(
    failed: FailedRequest,
    sent: Vec<ClientAuth>,
    untried: Option<ClientAuth>,
) -> FailedProof {
    let FailedRequest { fault, subject } = failed;
    let sent = if subject == RefusalSubject::Other {
        vec![]
    } else {
        sent
    };
    FailedProof {
        fault,
        sent,
        untried,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
