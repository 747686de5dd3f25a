//! Finds an issuer's token endpoint: by authorization server metadata (RFC 8414), or by that of an `OpenID` provider.
//!
//! No secret is sent for this. The document decides where the secret goes, so it is judged as strictly as a token
//! answer, and its texts are not passed on.

use std::time::Duration;

use tokio::time::timeout;
use url::Url;

use crate::config::oauth2::EndpointUrl;
use crate::credential::Ca;
use crate::fault::{Fault, FaultKind};
use crate::provider::answer::IssuerResponse;
use crate::provider::auth_methods::AuthMethods;
use crate::provider::http::{Http, Request};
use crate::provider::members::Members;
use places::documents;
use unfound::{Informativeness, NoEndpoint, most_telling};

mod difference;
mod places;
mod unfound;

pub use places::LastRule;

/// The content of an issuer's document.
#[derive(Debug)]
pub(super) struct Document {
    /// Its token endpoint.
    pub(super) endpoint: EndpointUrl,
    /// The methods of client authentication that it lists.
    pub(super) auth_methods: Option<AuthMethods>,
}

/// How long one address may take to return the document. All addresses together leave the rest of the attempt's time to
/// the token endpoint.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// Asks the issuer for its token endpoint: requests the document at each address where it may be, until one returns it.
/// An address may have another issuer's document, a page, or nothing. If a credential is bound to certificates, only a
/// server that the certificates `ca` vouch for is trusted.
pub(super) async fn discover(
    issuer: &EndpointUrl,
    http: &Http,
    mutual_tls: bool,
    ca: Option<&Ca>,
    last: &LastRule,
) -> Result<Document, Fault> {
    let mut all = vec![];
    for (place, url) in documents(issuer, last) {
        match look(&url, issuer, http, mutual_tls, ca).await {
            Ok(document) => {
                last.set(place);
                return Ok(document);
            }
            Err(unfound) if unfound.telling == Informativeness::Stop => return Err(unfound.fault),
            Err(unfound) => all.push((url, unfound)),
        }
    }
    Err(most_telling(all))
}

/// Requests the document at one address.
async fn look(
    url: &Url,
    issuer: &EndpointUrl,
    http: &Http,
    mutual_tls: bool,
    ca: Option<&Ca>,
) -> Result<Document, NoEndpoint> {
    let request = Request {
        url: url.clone(),
        authorization: None,
        post: None,
    };
    let answer = timeout(LIMIT, http.send(request, ca)).await;
    let answer = answer.unwrap_or_else(|_| {
        let what = format!("no complete answer from {url} within {LIMIT:?}");
        Err(Fault::new(FaultKind::Timeout, what))
    });
    read(
        &answer.map_err(NoEndpoint::unanswered)?,
        url,
        issuer,
        mutual_tls,
    )
}

/// Judges an answer without I/O.
fn read(
    answer: &IssuerResponse,
    url: &Url,
    issuer: &EndpointUrl,
    mutual_tls: bool,
) -> Result<Document, NoEndpoint> {
    if answer.status != 200 || !answer.is_json_like() {
        return Err(NoEndpoint::answered(answer, url, issuer));
    }
    let unlike = |what: &str| NoEndpoint::document(Informativeness::NoDocument, url, what);
    let unusable = |what: &str| NoEndpoint::document(Informativeness::Unusable, url, what);
    let Some(members) = answer.members() else {
        let what = match &answer.coding {
            Some(coding) => format!("is in a coding that was not asked for ({coding})"),
            None => "is malformed JSON".to_owned(),
        };
        return Err(unlike(&what));
    };
    let Some(named) = members.text("issuer") else {
        return Err(unlike("names no issuer"));
    };
    // The identifiers are compared character by character (RFC 8414 section 3.3): another issuer's document must not
    // replace this issuer's.
    if *named != issuer.as_str() {
        let (telling, what) = difference::explain(&named, issuer);
        return Err(NoEndpoint::document(telling, url, &what));
    }
    let Some(text) = token_endpoint(&members, mutual_tls) else {
        return Err(unusable("names no token endpoint"));
    };
    let endpoint = EndpointUrl::token(&text).map_err(|invalid| {
        unusable(&format!(
            "names a token endpoint that no secret may be sent to: {}",
            invalid.message
        ))
    })?;
    if !endpoint.origin().is_https() && !issuer.origin().is_loopback() {
        return Err(unusable(
            "names a token endpoint without TLS on this machine, and is not on this machine itself",
        ));
    }
    let auth_methods = members.raw("token_endpoint_auth_methods_supported");
    Ok(Document {
        endpoint,
        auth_methods: auth_methods.and_then(AuthMethods::parse),
    })
}

/// Returns the token endpoint. For mutual TLS, this is the endpoint that requests a certificate, if the issuer has a
/// separate one (RFC 8705 section 5).
fn token_endpoint(members: &Members<'_>, mutual_tls: bool) -> Option<zeroize::Zeroizing<String>> {
    const NAME: &str = "token_endpoint";
    let aliases = members
        .raw("mtls_endpoint_aliases")
        .filter(|_| mutual_tls)
        .map(|raw| Members::parse(raw.as_bytes()));
    match aliases {
        // An alias object that cannot be parsed decides nothing, so neither endpoint is used.
        Some(None) => None,
        Some(Some(aliases)) if aliases.raw(NAME).is_some() => aliases.text(NAME),
        _ => members.text(NAME),
    }
}

#[cfg(test)]
mod tests;
