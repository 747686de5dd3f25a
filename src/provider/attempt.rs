//! The interface of a provider: one attempt to get a token, and its result.

use std::pin::Pin;
use std::sync::Arc;

use url::Url;

use super::auth_methods::AuthMethods;
use crate::config::oauth2::ClientAuth;
use crate::credential::Credential;
use crate::fault::Fault;
use crate::instant::UnixTime;
use crate::token::Grant;

/// A running attempt. Dropping it cancels the attempt and closes its connection.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Granted, Fault>> + Send + 'a>>;

/// A running search for a token endpoint.
pub type Discovering<'a> =
    Pin<Box<dyn Future<Output = Result<DiscoveredEndpoint, Fault>> + Send + 'a>>;

/// A running check of an address.
pub type Checking<'a> = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send + 'a>>;

/// A running proof at enrolment.
pub type Proving<'a> = Pin<Box<dyn Future<Output = Result<Proof, FailedProof>> + Send + 'a>>;

/// A client that requests tokens from an issuer.
pub trait Provider: Send + Sync {
    /// Requests a token once, within the provider's own deadline.
    ///
    /// # Errors
    /// The [`Fault`] has the kind of failure and, for people, the address; it never contains a secret.
    fn fetch<'a>(&'a self, credential: &'a Credential) -> Fetching<'a>;

    /// Does the same for a caller that shares the credential, so that the attempt may run on another thread.
    ///
    /// # Errors
    /// The errors of [`Provider::fetch`].
    fn fetch_shared<'a>(&'a self, credential: &'a Arc<Credential>) -> Fetching<'a> {
        self.fetch(credential)
    }

    /// Requests a token as proof at enrolment, when the configuration can still be changed. If the issuer refuses the
    /// client and may have misread the header, requests it once more from the same endpoint, with the header's other
    /// form. A daemon never does that: it would double the attempts that count against a client.
    ///
    /// # Errors
    /// The errors of [`Provider::fetch`], with the client authentications that were sent.
    fn prove<'a>(&'a self, credential: &'a Credential) -> Proving<'a> {
        Box::pin(async move {
            let granted = self.fetch(credential).await;
            let granted = granted.map_err(|fault| FailedProof {
                fault,
                sent: vec![],
                untried: None,
            })?;
            Ok(Proof {
                granted,
                client_auth: None,
                server: self.server(),
            })
        })
    }

    /// Describes the server by the endpoint that gave the last token; `None` if the endpoint reveals nothing.
    fn server(&self) -> Option<&'static str> {
        None
    }

    /// Checks whether a server of this kind answers at the configured address. Sends nothing secret.
    ///
    /// # Errors
    /// A [`Fault`] with the reason; [`FaultKind::NoEndpoint`] if another kind of server answers.
    ///
    /// [`FaultKind::NoEndpoint`]: crate::fault::FaultKind::NoEndpoint
    fn check_server(&self) -> Checking<'_> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Asks the issuer for its token endpoint, to which a credential is bound. Sends nothing secret, and remembers
    /// nothing. Only for a provider whose configuration names the issuer instead of the endpoint.
    ///
    /// # Errors
    /// A [`Fault`] if the issuer does not name it, or cannot be trusted.
    fn destination(&self) -> Discovering<'_> {
        Box::pin(std::future::ready(Err(Fault::no_endpoint(
            "the configuration says where the token endpoint is, and no issuer does",
        ))))
    }
}

/// A token endpoint, with further facts from the issuer's document.
#[derive(Debug, Clone)]
pub struct DiscoveredEndpoint {
    /// Its whole address.
    pub endpoint: Url,
    /// The methods of client authentication that the document lists.
    pub auth_methods: Option<AuthMethods>,
}

/// A token that proves a credential.
#[derive(Debug)]
pub struct Proof {
    /// The token.
    pub granted: Granted,
    /// The client authentication that the issuer accepted, for a provider that has several.
    pub client_auth: Option<ClientAuth>,
    /// A description of the server, by the endpoint that gave the token.
    pub server: Option<&'static str>,
}

/// A proof that failed.
#[derive(Debug)]
pub struct FailedProof {
    /// The fault.
    pub fault: Fault,
    /// The client authentications that were sent, in order, if the issuer's refusal may be about them; empty otherwise.
    pub sent: Vec<ClientAuth>,
    /// The other form of the same header, if it differs and was not sent.
    pub untried: Option<ClientAuth>,
}

/// A token, and the time on the issuer's clock when it was granted.
#[derive(Debug)]
pub struct Granted {
    /// The token and its lifetime.
    pub grant: Grant,
    /// The answer's `Date` (RFC 9110 section 6.6.1), in whole seconds. The caller computes the difference between the
    /// two clocks, since no clock is read here.
    pub server_date: Option<UnixTime>,
}
