//! NVIDIA Run:ai: user access keys (once called applications) and service accounts.
//!
//! A control plane has one of several token endpoints, by its age: `/api/v2/token` (2.24 and later) is OAuth 2.0;
//! `/api/v1/token` is JSON of its own, with the grant `client_credentials` since 2.20.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::time::timeout;

use super::address::{Address, InvalidAddress};
use super::answer::{Answer, Asked, Spelling};
use super::body::{self, SecretBody};
use super::http::{Http, Settings};
use super::{Fetching, Granted, Provider};
use crate::credential::Credential;
use crate::fault::{Fault, FaultKind};

/// Which token endpoint is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Api {
    /// The newest that the control plane has.
    #[default]
    Auto,
    /// `/api/v2/token` alone.
    V2,
    /// `/api/v1/token` alone.
    V1,
}

/// A Run:ai control plane.
pub struct Runai {
    http: Http,
    api: Api,
    /// The endpoint that gave the last token, as [`Endpoint::number`]; 0 for none yet.
    known: AtomicU8,
}

/// A way to ask for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    V2,
    /// With `clientID`, as the specification has it.
    V1,
    /// With `clientId`, as the guides have it. Which of the two a server reads, or both, is not documented.
    V1ClientId,
}

/// What came of asking at one endpoint.
enum Outcome {
    Granted(Granted),
    /// There is no such endpoint: another may be tried.
    Absent(Fault),
    /// The request was not understood, by a server that does not say that the credential is wrong.
    NotUnderstood(Fault),
}

/// The ways to ask, newest first. The grant `app_token` of servers up to 2.19 belongs at the end.
const BY_AGE: [Endpoint; 2] = [Endpoint::V2, Endpoint::V1];

// === impl Runai ===

impl Runai {
    /// The control plane at this base address, as people paste it: with a trailing slash, with `/api/v1`, with all of
    /// a token endpoint's path. Nothing is opened yet.
    ///
    /// # Errors
    /// [`InvalidAddress`] when no secret may be sent there.
    pub fn new(base: &str, api: Api, settings: Settings) -> Result<Self, InvalidAddress> {
        let mut base = Address::parse(base)?.without_suffix("/token");
        for suffix in ["/api/v1", "/api/v2", "/api"] {
            base = base.without_suffix(suffix);
        }
        Ok(Self {
            http: Http::new(base, settings),
            api,
            known: AtomicU8::new(0),
        })
    }

    /// The base address that was understood.
    pub const fn address(&self) -> &Address {
        self.http.address()
    }

    /// Asks where a token was got the last time, then where there may be one. On to the next only where an endpoint
    /// is *absent*: one that rejects the credential or fails has answered the question, and asking others would send
    /// the secret about for nothing.
    async fn ask(&self, credential: &Credential) -> Result<Granted, Fault> {
        let known = Endpoint::of_number(self.known.load(Ordering::Relaxed));
        let mut absent = None;
        for endpoint in self.candidates(known) {
            match self.ask_in_both_spellings(endpoint, credential).await? {
                Ok(granted) => return Ok(granted),
                Err(fault) => absent = Some(fault),
            }
            // It was there and is not any more: whatever was learnt about this server may have changed.
            self.known.store(0, Ordering::Relaxed);
        }
        Err(absent.unwrap_or_else(|| {
            Fault::new(FaultKind::Rejected, "there is no token endpoint to ask")
        }))
    }

    /// The known one first, then those of another path that the configuration allows.
    fn candidates(&self, known: Option<Endpoint>) -> Vec<Endpoint> {
        let allowed = |endpoint: &Endpoint| match self.api {
            Api::Auto => true,
            Api::V2 => endpoint.path() == Endpoint::V2.path(),
            Api::V1 => endpoint.path() == Endpoint::V1.path(),
        };
        let others = BY_AGE
            .into_iter()
            .filter(|other| known.is_none_or(|known| known.path() != other.path()));
        known.into_iter().chain(others).filter(allowed).collect()
    }

    /// The inner error is an endpoint's absence.
    async fn ask_in_both_spellings(
        &self,
        endpoint: Endpoint,
        credential: &Credential,
    ) -> Result<Result<Granted, Fault>, Fault> {
        let (rejected, other) = match self.ask_at(endpoint, credential).await? {
            Outcome::Granted(granted) => return Ok(Ok(granted)),
            Outcome::Absent(fault) => return Ok(Err(fault)),
            Outcome::NotUnderstood(fault) => match endpoint.other_spelling() {
                Some(other) => (fault, other),
                None => return Err(fault),
            },
        };
        match self.ask_at(other, credential).await {
            Ok(Outcome::Granted(granted)) => Ok(Ok(granted)),
            // Rejected in both: the first is the spelling that worked before, or else the specification's.
            Ok(_) => Err(rejected),
            Err(fault) if fault.kind == FaultKind::Rejected => Err(rejected),
            Err(fault) => Err(fault),
        }
    }

    async fn ask_at(&self, endpoint: Endpoint, credential: &Credential) -> Result<Outcome, Fault> {
        let body = endpoint.body(credential);
        let answer = self
            .http
            .post(endpoint.path(), endpoint.content_type(), body)
            .await?;
        let (absent, not_understood) = (answer.is_absent(), endpoint.is_not_understood(&answer));
        let server_date = answer.server_date();
        let at = self.address().origin();
        match answer.into_grant(
            endpoint.spelling(),
            Asked {
                at: &at,
                credential,
            },
        ) {
            Ok(grant) => {
                self.known.store(endpoint.number(), Ordering::Relaxed);
                Ok(Outcome::Granted(Granted { grant, server_date }))
            }
            Err(fault) if absent => Ok(Outcome::Absent(fault)),
            Err(fault) if not_understood => Ok(Outcome::NotUnderstood(fault)),
            Err(fault) => Err(fault),
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
                    let what =
                        format!("no token from {} within {limit:?}", self.address().origin());
                    Err(Fault::new(FaultKind::Timeout, what))
                })
        })
    }
}

// === impl Endpoint ===

impl Endpoint {
    const fn number(self) -> u8 {
        match self {
            Self::V2 => 1,
            Self::V1 => 2,
            Self::V1ClientId => 3,
        }
    }

    const fn of_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::V2),
            2 => Some(Self::V1),
            3 => Some(Self::V1ClientId),
            _ => None,
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::V2 => "/api/v2/token",
            Self::V1 | Self::V1ClientId => "/api/v1/token",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::V2 => "application/x-www-form-urlencoded",
            Self::V1 | Self::V1ClientId => "application/json",
        }
    }

    const fn spelling(self) -> Spelling {
        match self {
            Self::V2 => Spelling::Snake,
            Self::V1 | Self::V1ClientId => Spelling::Camel,
        }
    }

    const fn other_spelling(self) -> Option<Self> {
        match self {
            Self::V2 => None,
            Self::V1 => Some(Self::V1ClientId),
            Self::V1ClientId => Some(Self::V1),
        }
    }

    /// No endpoint gets the credential in a header: the documents' "Authorization required" is an artefact.
    fn body(self, credential: &Credential) -> SecretBody {
        let id = credential.client_id.as_str();
        let secret = credential.client_secret.expose();
        match self {
            Self::V2 => body::form(&[
                ("grant_type", "client_credentials"),
                ("client_id", id),
                ("client_secret", secret),
            ]),
            Self::V1 => body::json(&[
                ("grantType", "client_credentials"),
                ("clientID", id),
                ("clientSecret", secret),
            ]),
            Self::V1ClientId => body::json(&[
                ("grantType", "client_credentials"),
                ("clientId", id),
                ("clientSecret", secret),
            ]),
        }
    }

    /// A 400 that does not say that the credential is wrong, where there is another spelling to try.
    fn is_not_understood(self, answer: &Answer) -> bool {
        self.other_spelling().is_some() && answer.status == 400 && !answer.is_understood()
    }
}

#[cfg(test)]
mod tests;
