//! Classifies answers of 4xx by their author and subject: the issuer about the credential, the issuer about itself, or
//! another server in the issuer's place, such as an ingress or a firewall.
//!
//! Only the first kind means that the credential is wrong. The others pass, or need another address.

use zeroize::Zeroizing;

use crate::fault::{Fault, FaultKind};
use crate::provider::members::Members;

/// The members that hold an error code: those of OAuth 2.0 (RFC 6749 section 5.2), and of Okta, Apigee and others.
const CODES: [&str; 5] = ["error", "error_code", "errorCode", "ErrorCode", "code"];

/// The members in which gateways and web frameworks wrap an object with the code.
const WRAPPERS: [&str; 3] = ["error", "fault", "detail"];

/// The longest accepted code, in bytes.
const MAX_CODE: usize = 64;

/// The author and the subject of an answer of 4xx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusalKind {
    /// The issuer rejects the credential or the request, and will reject the same request again.
    Credential,
    /// A bare 401: the issuer rejects the credential, or is still starting up.
    Ambiguous,
    /// The issuer reports a failure of its own.
    IssuerFailure,
    /// The issuer reports too many requests.
    SlowDown,
    /// A proxy demands a credential of its own.
    Proxy,
    /// The server is not a token endpoint.
    NotAnIssuer,
}

// === impl Word ===

impl RefusalKind {
    /// Classifies an answer by its 4xx status, its `WWW-Authenticate`, and its body if that is JSON. With
    /// `has_vendor_errors`, Run:ai's own `Error` is a statement about the credential.
    pub(super) fn of(
        status: u16,
        is_challenge: bool,
        members: Option<&Members<'_>>,
        has_vendor_errors: bool,
    ) -> Self {
        match status {
            407 => return Self::Proxy,
            408 | 425 => return Self::IssuerFailure,
            429 => return Self::SlowDown,
            _ => {}
        }
        if let Some(said) = members.and_then(classify_codes) {
            return said;
        }
        let is_vendors = has_vendor_errors && members.is_some_and(is_vendor_error);
        match status {
            400 | 403 if is_vendors => Self::Credential,
            401 if is_vendors || is_challenge => Self::Credential,
            401 => Self::Ambiguous,
            _ => Self::NotAnIssuer,
        }
    }

    /// Creates the fault of an answer with this `status` from `at`. `said` is the issuer's text, as a quotation.
    pub(super) fn fault(self, at: &str, status: u16, said: &str) -> Fault {
        let (kind, what) = match self {
            Self::Credential => (
                FaultKind::Rejected,
                format!("{at} rejected the request for a token ({status}){said}"),
            ),
            Self::Ambiguous => {
                let what = format!(
                    "{at} rejected the request for a token, and does not say that the credential is why ({status}){said}"
                );
                return Fault::new(FaultKind::Rejected, what).in_doubt();
            }
            Self::IssuerFailure => (
                FaultKind::ServerError,
                format!("{at} failed ({status}){said}"),
            ),
            Self::SlowDown => (
                FaultKind::RateLimited,
                format!("{at} asked to slow down ({status}){said}"),
            ),
            Self::Proxy => (
                FaultKind::NoEndpoint,
                format!(
                    "{at}: a proxy in front of it demands a user name and a password ({status})"
                ),
            ),
            Self::NotAnIssuer => {
                let who = match status {
                    404 | 405 | 410 => "",
                    _ => "; a firewall or a gateway may have answered in its place",
                };
                (
                    FaultKind::NoEndpoint,
                    format!("{at}: no token endpoint at this address ({status}){said}{who}"),
                )
            }
        };
        Fault::new(kind, what)
    }
}

/// Classifies the error codes in a body. A code for a passing problem takes precedence.
pub(super) fn classify_codes(members: &Members<'_>) -> Option<RefusalKind> {
    let codes = codes(members);
    let words: Vec<_> = codes
        .iter()
        .filter_map(|code| classify_code(code))
        .collect();
    let first = |wanted| words.iter().find(|word| **word == wanted).copied();
    first(RefusalKind::SlowDown)
        .or_else(|| first(RefusalKind::IssuerFailure))
        .or_else(|| first(RefusalKind::Credential))
}

/// Returns the objects in a body in which gateways and web frameworks wrap an error.
fn wrapped<'a>(members: &Members<'a>) -> Vec<Members<'a>> {
    let wrapped = WRAPPERS.into_iter().filter_map(|name| members.raw(name));
    let wrapped = wrapped.filter_map(|raw| Members::parse(raw.as_bytes()));
    wrapped.collect()
}

/// Returns the error codes in a body, also those of a wrapped error, in the RFC's spelling.
pub(super) fn codes(members: &Members<'_>) -> Vec<Zeroizing<String>> {
    let wrapped = wrapped(members);
    let all = wrapped.iter().chain([members]);
    let texts = all.flat_map(|it| CODES.into_iter().filter_map(|name| it.text(name)));
    texts.filter_map(|text| spelled(&text)).collect()
}

/// Normalises a code with any separator and in any case. `None` if the text is too long for a code.
fn spelled(code: &str) -> Option<Zeroizing<String>> {
    if code.len() > MAX_CODE {
        return None;
    }
    let mut code = Zeroizing::new(code.trim().to_ascii_lowercase());
    for separator in [" ", "-"] {
        code = Zeroizing::new(code.replace(separator, "_"));
    }
    Some(code)
}

/// Classifies a code.
fn classify_code(code: &str) -> Option<RefusalKind> {
    /// Prefixes of codes that are about the client, its secret, the grant, the scope or the request. The last two are
    /// Slack's and GitHub's words for `invalid_client`.
    const OF_CREDENTIAL: [&str; 5] = [
        "invalid_",
        "unauthorized_",
        "unsupported_",
        "bad_client_",
        "incorrect_client_",
    ];
    match code {
        "server_error"
        | "temporarily_unavailable"
        | "internal_failure"
        | "internal_error"
        | "internal_server_error"
        | "service_unavailable" => Some(RefusalKind::IssuerFailure),
        "slow_down"
        | "ratelimited"
        | "rate_limited"
        | "rate_limit_exceeded"
        | "too_many_requests" => Some(RefusalKind::SlowDown),
        "access_denied" => Some(RefusalKind::Credential),
        // The reason phrase of 415, which web frameworks repeat in their error bodies.
        "unsupported_media_type" => None,
        code if OF_CREDENTIAL.iter().any(|begin| code.starts_with(begin)) => {
            Some(RefusalKind::Credential)
        }
        _ => None,
    }
}

/// Reports whether the body is Run:ai's own `Error`: a number `code` and a text `message`.
fn is_vendor_error(members: &Members<'_>) -> bool {
    let code = members.raw("code");
    let is_number = code.is_some_and(|raw| raw.bytes().all(|b| b.is_ascii_digit()));
    is_number && members.text("message").is_some()
}

/// Reports whether the body is Run:ai's own `Error` with one of these statuses, which its code repeats.
pub(super) fn is_vendor_error_of(members: &Members<'_>, statuses: &[&str]) -> bool {
    let code = members.raw("code").unwrap_or_default();
    statuses.contains(&code) && is_vendor_error(members)
}

#[cfg(test)]
mod tests;
