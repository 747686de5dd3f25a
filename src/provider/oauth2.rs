//! Any OAuth 2.0 issuer with the client-credentials grant (RFC 6749 section 4.4).
//!
//! Where the secret goes is decided by a person: either the configuration names the token endpoint, or the issuer's
//! discovery document does, and then the secret goes only to the origin that it named when the credential was enrolled.
//! Whoever can change that document later, can stop the tokens but not collect the secret.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::timeout;

use super::answer::{Asked, Spelling};
use super::attempt::{Fetching, Granted, Locating, Provider};
use super::http::{Http, Settings};
use super::quote::without_secret;
use crate::config;
use crate::config::oauth2::{At, EndpointUrl};
use crate::credential::Credential;
use crate::fault::{Fault, FaultKind};

mod discovery;
mod request;

/// An OAuth 2.0 issuer.
pub struct Oauth2 {
    place: Place,
    configured: config::Oauth2,
    settings: Settings,
}

enum Place {
    Known(Arc<Target>),
    Discovered(Box<Discovered>),
}

struct Discovered {
    /// The issuer's identifier.
    issuer: EndpointUrl,
    http: Http,
    /// What the discovery document said, once the credential's origin agreed with it.
    remembered: Mutex<Option<Arc<Target>>>,
}

/// A token endpoint and the client for it.
struct Target {
    endpoint: EndpointUrl,
    http: Http,
}

// === impl Oauth2 ===

impl Oauth2 {
    /// The issuer that the configuration names. Nothing is opened yet.
    pub fn new(configured: config::Oauth2, settings: Settings) -> Self {
        let place = match &configured.at {
            At::Token(endpoint) => Place::Known(Arc::new(Target::new(endpoint.clone(), &settings))),
            At::Issuer(issuer) => Place::Discovered(Box::new(Discovered {
                issuer: issuer.clone(),
                http: Http::new(issuer.origin(), settings.clone()),
                remembered: Mutex::default(),
            })),
        };
        Self {
            place,
            configured,
            settings,
        }
    }

    async fn ask(&self, credential: &Credential) -> Result<Granted, Fault> {
        let target = self.target_for(credential).await?;
        let request = request::build(target.endpoint.url(), &self.configured, credential);
        let answer = target.http.send(request).await.inspect_err(|fault| {
            // The endpoint's name is gone, or is somebody else's now: the issuer may have moved it.
            if matches!(fault.kind, FaultKind::Dns | FaultKind::TlsName) {
                self.forget();
            }
        })?;
        if answer.is_absent() || (300..400).contains(&answer.status) {
            self.forget();
        }
        let server_date = answer.server_date();
        let at = target.origin();
        let grant = answer.into_grant(
            Spelling::Snake,
            Asked {
                at: &at,
                credential,
            },
        )?;
        Ok(Granted { grant, server_date })
    }

    /// The token endpoint, if it is one that this credential may be sent to.
    async fn target_for(&self, credential: &Credential) -> Result<Arc<Target>, Fault> {
        let place = match &self.place {
            Place::Known(target) => {
                let origin = target.origin();
                // The configuration names the endpoint, and so decides for a credential that is not enrolled yet.
                let bound_to = credential.origin().unwrap_or(&origin);
                target.demand(bound_to, "the configuration")?;
                return Ok(Arc::clone(target));
            }
            Place::Discovered(place) => place,
        };
        // A document decides nothing for a credential that is not enrolled: its secret stays with the issuer.
        let issuers_own = place.issuer.origin().to_string();
        let bound_to = credential.origin().unwrap_or(&issuers_own);
        let known = lock(&place.remembered).clone();
        if let Some(known) = known.filter(|known| known.origin() == bound_to) {
            return Ok(known);
        }
        // An issuer that was sent the secret before can put it into an address.
        let clean = |fault| without_secret(fault, credential);
        let found = Arc::new(self.discover(place).await.map_err(clean)?);
        found
            .demand(bound_to, &format!("the issuer at {issuers_own}"))
            .map_err(clean)?;
        *lock(&place.remembered) = Some(Arc::clone(&found));
        Ok(found)
    }

    async fn discover(&self, place: &Discovered) -> Result<Target, Fault> {
        let mutual_tls = self.settings.client_certificate.is_some();
        let endpoint = discovery::discover(&place.issuer, &place.http, mutual_tls).await?;
        Ok(Target::new(endpoint, &self.settings))
    }

    /// Lets the next attempt ask the issuer again where its token endpoint is.
    fn forget(&self) {
        if let Place::Discovered(place) = &self.place {
            *lock(&place.remembered) = None;
        }
    }

    async fn in_time<T>(
        &self,
        attempt: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let limit = self.settings.timeouts.fetch;
        timeout(limit, attempt).await.unwrap_or_else(|_| {
            let at = match &self.place {
                Place::Known(target) => target.origin(),
                Place::Discovered(place) => place.issuer.origin().to_string(),
            };
            let what = format!("no token from {at} within {limit:?}");
            Err(Fault::new(FaultKind::Timeout, what))
        })
    }
}

impl Provider for Oauth2 {
    fn fetch<'a>(&'a self, credential: &'a Credential) -> Fetching<'a> {
        Box::pin(self.in_time(self.ask(credential)))
    }

    fn destination(&self) -> Locating<'_> {
        Box::pin(self.in_time(async {
            match &self.place {
                Place::Known(target) => Ok(target.endpoint.url().clone()),
                Place::Discovered(place) => Ok(self.discover(place).await?.endpoint.url().clone()),
            }
        }))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Target ===

impl Target {
    fn new(endpoint: EndpointUrl, settings: &Settings) -> Self {
        let http = Http::new(endpoint.origin(), settings.clone());
        Self { endpoint, http }
    }

    fn origin(&self) -> String {
        self.endpoint.origin().to_string()
    }

    /// Refuses a token endpoint at another origin than this one.
    fn demand(&self, origin: &str, who: &str) -> Result<(), Fault> {
        let named = self.origin();
        if named == origin {
            return Ok(());
        }
        let what = format!(
            "{who} now names a token endpoint at {named}, and the credential is for {origin}: nothing is sent until it is enrolled again (jetond add NAME --rebind)"
        );
        Err(Fault::new(FaultKind::BindingChanged, what))
    }
}

#[cfg(test)]
mod tests;
