//! One attempt to get a token: what every provider offers, and what comes of it.

use std::pin::Pin;
use std::sync::Arc;

use url::Url;

use super::auth_methods::AuthMethods;
use crate::config::oauth2::ClientAuth;
use crate::credential::Credential;
use crate::fault::Fault;
use crate::instant::UnixTime;
use crate::token::Grant;

/// An attempt that is under way. Dropping it abandons the attempt and closes its connection.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Granted, Fault>> + Send + 'a>>;

/// A token endpoint that is being looked for.
pub type Locating<'a> = Pin<Box<dyn Future<Output = Result<Located, Fault>> + Send + 'a>>;

/// A look at an address that is under way.
pub type Looking<'a> = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send + 'a>>;

/// A proof at enrolment that is under way.
pub type Proving<'a> = Pin<Box<dyn Future<Output = Result<Proof, Unproved>> + Send + 'a>>;

/// Something that can be asked for a token.
pub trait Provider: Send + Sync {
    /// Asks for a token once, inside the provider's own deadline.
    ///
    /// # Errors
    /// The [`Fault`] says what kind of failure it was and, for people, at which address; never anything secret.
    fn fetch<'a>(&'a self, credential: &'a Credential) -> Fetching<'a>;

    /// The same for a caller that shares the credential, so that the attempt may run on another thread.
    ///
    /// # Errors
    /// As [`Provider::fetch`].
    fn fetch_shared<'a>(&'a self, credential: &'a Arc<Credential>) -> Fetching<'a> {
        self.fetch(credential)
    }

    /// Asks for a token as proof at enrolment, when the configuration can still be changed: once, and once more in the other
    /// form of the same header, to the same endpoint, where the issuer refuses the client and may have misread it. A daemon
    /// never does that: it would double the attempts that count against a client.
    ///
    /// # Errors
    /// As [`Provider::fetch`], with what was sent.
    fn prove<'a>(&'a self, credential: &'a Credential) -> Proving<'a> {
        Box::pin(async move {
            let granted = self.fetch(credential).await;
            let granted = granted.map_err(|fault| Unproved {
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

    /// What the server is, by the endpoint that gave the last token; `None` if that says nothing.
    fn server(&self) -> Option<&'static str> {
        None
    }

    /// Looks whether a server of this kind answers at the configured address. Nothing secret is sent.
    ///
    /// # Errors
    /// A [`Fault`] that says why not; [`FaultKind::NoEndpoint`] where something else answers.
    ///
    /// [`FaultKind::NoEndpoint`]: crate::fault::FaultKind::NoEndpoint
    fn look(&self) -> Looking<'_> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Asks the issuer where its token endpoint is, to which a credential is bound. Nothing secret is sent, and nothing is
    /// remembered. Only for a provider whose configuration leaves it to the issuer.
    ///
    /// # Errors
    /// A [`Fault`] when the issuer does not say it, or cannot be trusted.
    fn destination(&self) -> Locating<'_> {
        Box::pin(std::future::ready(Err(Fault::no_endpoint(
            "the configuration says where the token endpoint is, and no issuer does",
        ))))
    }
}

/// A token endpoint, and what else the issuer's document says of it.
#[derive(Debug, Clone)]
pub struct Located {
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
    /// The client authentication that the issuer took, for a provider that has several.
    pub client_auth: Option<ClientAuth>,
    /// What the server is, by the endpoint that gave the token.
    pub server: Option<&'static str>,
}

/// A proof that failed.
#[derive(Debug)]
pub struct Unproved {
    /// Why.
    pub fault: Fault,
    /// What was sent, in order, where the issuer's refusal may be about the client's authentication; empty otherwise.
    pub sent: Vec<ClientAuth>,
    /// The other form of the same header, if it differs and was not sent.
    pub untried: Option<ClientAuth>,
}

/// A token, and what the issuer's clock said when it was granted.
#[derive(Debug)]
pub struct Granted {
    /// The token and its lifetime.
    pub grant: Grant,
    /// The answer's `Date` (RFC 9110 section 6.6.1), to whole seconds: how far the two clocks are apart is for the
    /// caller to say, since nothing here reads a clock.
    pub server_date: Option<UnixTime>,
}
