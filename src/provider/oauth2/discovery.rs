//! Finding an issuer's token endpoint: authorization server metadata (RFC 8414), or an `OpenID` provider's.
//!
//! Nothing secret is sent for it. What is read of a document is what decides where the secret goes, so it is judged as
//! strictly as a token answer, and none of its words are passed on.

use url::Url;

use crate::config::oauth2::EndpointUrl;
use crate::credential::Ca;
use crate::fault::{Fault, FaultKind};
use crate::provider::answer::Answer;
use crate::provider::auth_methods::AuthMethods;
use crate::provider::http::{Http, Request};
use crate::provider::members::Members;

/// What an issuer's document says.
#[derive(Debug)]
pub(super) struct Document {
    /// Its token endpoint.
    pub(super) endpoint: EndpointUrl,
    /// The methods of client authentication that it lists.
    pub(super) auth_methods: Option<AuthMethods>,
}

/// What came of looking at one address.
type Looked = Result<Document, Unfound>;

/// Why an address gave no token endpoint.
#[derive(Debug)]
enum Unfound {
    /// There is no document at this address: there may be one at another.
    Absent(Fault),
    /// There is one, and it cannot be used.
    Bad(Fault),
}

/// Asks the issuer where its token endpoint is. Only a server that the certificates `ca` vouch for is believed, if a
/// credential is bound to some.
pub(super) async fn discover(
    issuer: &EndpointUrl,
    http: &Http,
    mutual_tls: bool,
    ca: Option<&Ca>,
) -> Result<Document, Fault> {
    let mut told: Option<Fault> = None;
    for url in documents(issuer) {
        let request = Request {
            url,
            authorization: None,
            post: None,
        };
        match read(&http.send(request, ca).await?, issuer, mutual_tls) {
            Ok(document) => return Ok(document),
            Err(Unfound::Bad(fault)) => return Err(fault),
            // What failed says more than what is simply not there.
            Err(Unfound::Absent(fault)) => {
                told = told
                    .filter(|told| told.kind != FaultKind::NoEndpoint)
                    .or(Some(fault));
            }
        }
    }
    Err(told.unwrap_or_else(|| Fault::no_endpoint("there is nowhere to look")))
}

/// Where the issuer's document may be: RFC 8414 section 3.1 puts its own part before the issuer's path, `OpenID` Connect
/// Discovery section 4 behind it.
fn documents(issuer: &EndpointUrl) -> [Url; 2] {
    let (origin, path) = (issuer.origin(), issuer.path());
    [
        origin.join(&format!("/.well-known/oauth-authorization-server{path}")),
        origin.join(&format!("{path}/.well-known/openid-configuration")),
    ]
}

/// Judges an answer, without I/O.
fn read(answer: &Answer, issuer: &EndpointUrl, mutual_tls: bool) -> Looked {
    let at = issuer.origin().to_string();
    if answer.status != 200 || !answer.is_json() {
        return Err(absence(answer, &at));
    }
    let malformed = |what: &str| {
        let what = format!("the discovery document of {at} {what}");
        Unfound::Bad(Fault::new(FaultKind::Malformed, what))
    };
    let Some(members) = answer.members() else {
        let what = match &answer.coding {
            Some(coding) => format!("is in a coding that was not asked for ({coding})"),
            None => "is malformed JSON".to_owned(),
        };
        return Err(malformed(&what));
    };
    let Some(named) = members.text("issuer") else {
        return Err(malformed("names no issuer"));
    };
    // By its characters (RFC 8414 section 3.3): a document of somebody else must not stand in for this issuer's.
    if *named != issuer.as_str() {
        let slash = named.trim_end_matches('/') == issuer.as_str().trim_end_matches('/');
        return Err(malformed(if slash {
            "names another issuer: the two differ in the final slash, so write the issuer as it does"
        } else {
            "names another issuer than the configured one"
        }));
    }
    let Some(text) = token_endpoint(&members, mutual_tls) else {
        return Err(malformed("names no token endpoint"));
    };
    let endpoint = EndpointUrl::token(&text).map_err(|invalid| {
        malformed(&format!(
            "names a token endpoint that no secret may be sent to: {}",
            invalid.message
        ))
    })?;
    if !endpoint.origin().is_https() && !issuer.origin().is_loopback() {
        return Err(malformed(
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

/// What an answer without a document means. The words of a stranger are of no use here.
fn absence(answer: &Answer, at: &str) -> Unfound {
    let status = answer.status;
    let (kind, what) = match status {
        200 => (
            FaultKind::Malformed,
            "answered with something other than JSON, so not with a discovery document; is it the right issuer?".to_owned(),
        ),
        300..400 => (
            FaultKind::Redirect,
            format!("answered with a redirect ({status}) instead of a discovery document, which is never followed"),
        ),
        429 => (
            FaultKind::RateLimited,
            format!("asked us to slow down ({status})"),
        ),
        408 | 425 | 500.. => (
            FaultKind::ServerError,
            format!("failed to give a discovery document ({status})"),
        ),
        400..500 => (
            FaultKind::NoEndpoint,
            format!("has no discovery document for this issuer ({status}): is the issuer written as it should be? Else set token-url"),
        ),
        _ => (
            FaultKind::Malformed,
            format!("answered with an unexpected status ({status}) instead of a discovery document"),
        ),
    };
    let what = format!("{at} {what}");
    let fault = Fault::new(kind, what).with_retry_after(answer.wait());
    let fault = fault.with_retry_at(answer.wait_until());
    // The other document would be asked for within the wait.
    if kind == FaultKind::RateLimited || fault.states_a_wait() {
        Unfound::Bad(fault)
    } else {
        Unfound::Absent(fault)
    }
}

#[cfg(test)]
mod tests;
