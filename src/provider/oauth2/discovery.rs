//! Finding an issuer's token endpoint: authorization server metadata (RFC 8414), or an `OpenID` provider's.
//!
//! Nothing secret is sent for it. What is read of a document is what decides where the secret goes, so it is judged as
//! strictly as a token answer, and none of its words are passed on.

use std::time::Duration;

use tokio::time::timeout;
use url::Url;

use crate::config::oauth2::EndpointUrl;
use crate::credential::Ca;
use crate::fault::{Fault, FaultKind};
use crate::provider::answer::Answer;
use crate::provider::auth_methods::AuthMethods;
use crate::provider::http::{Http, Request};
use crate::provider::members::Members;
use places::documents;
use unfound::{Telling, Unfound, most_telling};

mod difference;
mod places;
mod unfound;

pub use places::LastPlace;

/// What an issuer's document says.
#[derive(Debug)]
pub(super) struct Document {
    /// Its token endpoint.
    pub(super) endpoint: EndpointUrl,
    /// The methods of client authentication that it lists.
    pub(super) auth_methods: Option<AuthMethods>,
}

/// How long one address may take to give the document. All of them together leave the rest of the attempt to the token
/// endpoint.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// Asks the issuer where its token endpoint is, at each address where its document may be until one gives it: at any of
/// them there may be a stranger's document, a page, or nothing. Only a server that the certificates `ca` vouch for is
/// believed, if a credential is bound to some.
pub(super) async fn discover(
    issuer: &EndpointUrl,
    http: &Http,
    mutual_tls: bool,
    ca: Option<&Ca>,
    last: &LastPlace,
) -> Result<Document, Fault> {
    let mut all = vec![];
    for (place, url) in documents(issuer, last) {
        match look(&url, issuer, http, mutual_tls, ca).await {
            Ok(document) => {
                last.set(place);
                return Ok(document);
            }
            Err(unfound) if unfound.telling == Telling::Stop => return Err(unfound.fault),
            Err(unfound) => all.push((url, unfound)),
        }
    }
    Err(most_telling(all))
}

/// Asks at one address.
async fn look(
    url: &Url,
    issuer: &EndpointUrl,
    http: &Http,
    mutual_tls: bool,
    ca: Option<&Ca>,
) -> Result<Document, Unfound> {
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
        &answer.map_err(Unfound::unanswered)?,
        url,
        issuer,
        mutual_tls,
    )
}

/// Judges an answer, without I/O.
fn read(
    answer: &Answer,
    url: &Url,
    issuer: &EndpointUrl,
    mutual_tls: bool,
) -> Result<Document, Unfound> {
    if answer.status != 200 || !answer.is_json_like() {
        return Err(Unfound::answered(answer, url, issuer));
    }
    let unlike = |what: &str| Unfound::document(Telling::NoDocument, url, what);
    let unusable = |what: &str| Unfound::document(Telling::Unusable, url, what);
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
    // By its characters (RFC 8414 section 3.3): a document of somebody else must not stand in for this issuer's.
    if *named != issuer.as_str() {
        let (telling, what) = difference::explain(&named, issuer);
        return Err(Unfound::document(telling, url, &what));
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

/// The token endpoint; for mutual TLS the one that asks for a certificate, where the issuer has one of its own for that
/// (RFC 8705 section 5).
fn token_endpoint(members: &Members<'_>, mutual_tls: bool) -> Option<zeroize::Zeroizing<String>> {
    const NAME: &str = "token_endpoint";
    let aliases = members
        .raw("mtls_endpoint_aliases")
        .filter(|_| mutual_tls)
        .map(|raw| Members::parse(raw.as_bytes()));
    match aliases {
        // One that cannot be read decides nothing: neither for the alias nor for the other.
        Some(None) => None,
        Some(Some(aliases)) if aliases.raw(NAME).is_some() => aliases.text(NAME),
        _ => members.text(NAME),
    }
}

#[cfg(test)]
mod tests;
