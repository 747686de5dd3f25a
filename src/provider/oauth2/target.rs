//! A token endpoint of an OAuth 2.0 issuer; refuses a credential that was enrolled for another endpoint.

use crate::config::oauth2::EndpointUrl;
use crate::fault::{Fault, FaultKind};
use crate::provider::http::{Http, Settings};

/// A token endpoint and the client for it.
pub(super) struct Target {
    pub(super) endpoint: EndpointUrl,
    pub(super) http: Http,
    /// The source of the endpoint's address, for messages.
    named_by: &'static str,
}

// === impl Target ===

impl Target {
    /// Creates the target that the configuration names.
    pub(super) fn configured(endpoint: EndpointUrl, settings: &Settings) -> Self {
        Self::new(endpoint, settings, "which is the configured token-url")
    }

    /// Creates a target that an issuer's document names.
    pub(super) fn discovered(endpoint: EndpointUrl, settings: &Settings) -> Self {
        let named_by = "which the issuer's document names as its token endpoint";
        Self::new(endpoint, settings, named_by)
    }

    fn new(endpoint: EndpointUrl, settings: &Settings, named_by: &'static str) -> Self {
        let http = Http::new(endpoint.origin(), settings.clone());
        Self {
            endpoint,
            http,
            named_by,
        }
    }

    /// Returns the whole address, and the source that names it.
    pub(super) fn whole(&self) -> String {
        format!("{}, {}", self.endpoint.shown(), self.named_by)
    }

    pub(super) fn origin(&self) -> String {
        self.endpoint.origin().to_string()
    }

    /// Refuses any other token endpoint than this one.
    pub(super) fn demand(&self, endpoint: &str) -> Result<(), Fault> {
        let named = self.endpoint.url().as_str();
        if named == endpoint {
            Ok(())
        } else {
            Err(refusal(named, endpoint, "the configuration"))
        }
    }
}

/// Creates the fault if `who` names the endpoint `named`, but the credential was enrolled for another one. Both are
/// shown without their queries, which may hold private data.
pub(super) fn refusal(named: &str, enrolled: &str, who: &str) -> Fault {
    let without_query = |text: &str| text.split('?').next().unwrap_or_default().to_owned();
    let named = without_query(named);
    let mut enrolled = without_query(enrolled);
    if named == enrolled {
        enrolled.push_str(" with another ? part");
    }
    let what = format!(
        "{who} now names the token endpoint {named}, and the credential was enrolled for {enrolled}: nothing is sent; if that is right, run 'jetond add NAME --rebind'"
    );
    Fault::new(FaultKind::BindingChanged, what)
}
