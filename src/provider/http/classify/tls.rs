//! Messages for failed TLS handshakes.
//!
//! A certificate that is not accepted comes from an unknown server, so only its dates are quoted.

use std::time::{Duration, UNIX_EPOCH};

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription as Alert, CertificateError, Error as TlsError, OtherError};

use super::super::route::Route;
use super::super::unaccepted::CertificateProblem;
use crate::fault::FaultKind;

/// The first moment whose year has five digits, in Unix time.
const END_OF_DATES: u64 = 253_402_300_800;

/// Returns the kind of the fault.
pub(super) fn kind(error: &TlsError) -> FaultKind {
    let TlsError::InvalidCertificate(error) = error else {
        return FaultKind::TlsUntrusted;
    };
    match (error, CertificateProblem::of(error)) {
        (_, Some(CertificateProblem::ExpiredAbove | CertificateProblem::NotYetValidAbove)) => {
            FaultKind::TlsExpired
        }
        (CertificateError::NotValidForName, _)
        | (CertificateError::NotValidForNameContext { .. }, _) => FaultKind::TlsName,
        (CertificateError::Expired, _)
        | (CertificateError::ExpiredContext { .. }, _)
        | (CertificateError::NotValidYet, _)
        | (CertificateError::NotValidYetContext { .. }, _) => FaultKind::TlsExpired,
        _ => FaultKind::TlsUntrusted,
    }
}

/// Describes what happened and what to do.
pub(super) fn words(error: &TlsError, route: &Route) -> String {
    let at = &route.at;
    match error {
        TlsError::InvalidCertificate(error) => {
            let trouble = of_certificate(error, route.has_ca_file);
            format!("the certificate of {at} {trouble}")
        }
        TlsError::AlertReceived(alert) => of_alert(*alert, route),
        TlsError::PeerIncompatible(_) => {
            format!("the TLS handshake with {at} failed: it speaks neither TLS 1.2 nor 1.3")
        }
        TlsError::InvalidMessage(_) => {
            format!(
                "the TLS handshake with {at} failed: what answers there speaks no TLS; is it another port?"
            )
        }
        _ => format!("the TLS handshake with {at} failed"),
    }
}

/// Describes what is wrong with a certificate, as a phrase that follows its name.
fn of_certificate(error: &CertificateError, has_ca_file: bool) -> String {
    let clock = "; is this machine's clock right?";
    let trouble = match error {
        CertificateError::NotValidForNameContext { expected, presented } => {
            return of_name(expected, presented);
        }
        CertificateError::NotValidForName => return "is for another name".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            return format!("has expired{}{clock}", date("on", *not_after));
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            return format!("is not valid yet{}{clock}", date("but from", *not_before));
        }
        CertificateError::Expired => return format!("has expired{clock}"),
        CertificateError::NotValidYet => return format!("is not valid yet{clock}"),
        CertificateError::UnknownIssuer => "unknown issuer".to_owned(),
        CertificateError::BadSignature => {
            "the CA that it names as its issuer has another key; was that CA made again?".to_owned()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not for servers; its extended key usage must have serverAuth".to_owned()
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "it or its chain is signed with an algorithm or a key that is too weak, such as SHA-1 or RSA of 1024 bits".to_owned()
        }
        CertificateError::BadEncoding => "it cannot be read".to_owned(),
        CertificateError::Other(OtherError(error)) => {
            let reason = error.downcast_ref().map(|reason| of_reason(*reason, has_ca_file));
            let Some(words) = reason.or_else(|| of_library(error.downcast_ref()?, has_ca_file))
            else {
                return "is not trusted".to_owned();
            };
            match words {
                CertificatePhrase::Untrusted(words) => words.to_owned(),
                CertificatePhrase::Other(words) => return format!("{words}{clock}"),
            }
        }
        _ => return "is not trusted".to_owned(),
    };
    format!("is not trusted: {trouble}")
}

/// The phrase that follows "the certificate of ...".
enum CertificatePhrase {
    /// A phrase that follows "is not trusted:".
    Untrusted(&'static str),
    /// A complete phrase.
    Other(&'static str),
}

/// Describes a wrong name. The library gives the names of a certificate with their kinds: `DnsName(...)`,
/// `IpAddress(...)`.
fn of_name(expected: &ServerName<'_>, presented: &[String]) -> String {
    let are = |kind: &str| presented.iter().any(|name| name.starts_with(kind));
    let what = match expected {
        _ if presented.is_empty() => {
            "has no subject alternative name, and its common name does not count: have it issued with"
        }
        ServerName::IpAddress(_) if !are("IpAddress") => {
            "is for another name, and for no IP address: use the name that it is for, or have it issued with"
        }
        ServerName::DnsName(_) if !are("DnsName") => {
            "is for another name, and has no DNS name: use the address that it is for, or have it issued with"
        }
        _ => return "is for another name".to_owned(),
    };
    match expected {
        ServerName::IpAddress(_) => format!("{what} this address (subjectAltName = IP:ADDRESS)"),
        _ => format!("{what} this name (subjectAltName = DNS:NAME)"),
    }
}

fn of_reason(reason: CertificateProblem, has_ca_file: bool) -> CertificatePhrase {
    use CertificateProblem as Is;
    CertificatePhrase::Untrusted(match (reason, has_ca_file) {
        (Is::SelfSigned, true) => "it is self-signed, and not the one in the CA file",
        (Is::SelfSigned, false) => {
            "it is self-signed; if it is meant to be, name exactly this certificate: --ca-file (jetond add), or ca-file in the profile"
        }
        (Is::UnknownIssuer, true) => {
            "unknown issuer; either its CA is missing in the CA file, or the server does not send an intermediate certificate"
        }
        (Is::UnknownIssuer, false) => {
            "unknown issuer; either the server does not send an intermediate certificate, or its CA is one of your organisation's: then name its file, --ca-file (jetond add), or ca-file in the profile"
        }
        (Is::UnknownAbove, true) => {
            "unknown issuer; the CA above the chain that the server sent is missing in the CA file, or an intermediate certificate is missing between them"
        }
        (Is::UnknownAbove, false) => {
            "unknown issuer; the CA above the chain that the server sent is not one of the system's, or an intermediate certificate is missing between them"
        }
        (Is::UnknownRoot, true) => "unknown issuer; the root of its chain is not in the CA file",
        (Is::UnknownRoot, false) => {
            "unknown issuer; the root of its chain is not one of the system's. If it is one of your organisation's, name its file: --ca-file (jetond add), or ca-file in the profile"
        }
        (Is::OnlyItself, _) => {
            "unknown issuer; the CA file has this certificate, which is not self-signed, and lacks the one of the CA that signed it"
        }
        (Is::NotByCa, _) => {
            "the certificate in the CA file that signed it is not a CA's (basicConstraints = CA:FALSE)"
        }
        (Is::ExpiredAbove, _) => {
            return CertificatePhrase::Other(
                "is right, but a certificate of its chain has expired: have the server send the new one",
            );
        }
        (Is::NotYetValidAbove, _) => {
            return CertificatePhrase::Other(
                "is right, but a certificate of its chain is not valid yet",
            );
        }
    })
}

fn of_library(error: &webpki::Error, has_ca_file: bool) -> Option<CertificatePhrase> {
    use webpki::Error as Is;
    Some(CertificatePhrase::Untrusted(match error {
        Is::CaUsedAsEndEntity if has_ca_file => {
            "it is the certificate of a CA itself, and not one of those in the CA file"
        }
        Is::CaUsedAsEndEntity => {
            "it is the certificate of a CA itself; if it is meant to be, name exactly this certificate: --ca-file (jetond add), or ca-file in the profile"
        }
        Is::EndEntityUsedAsCa => {
            "the certificate that signed it is not a CA's (basicConstraints = CA:FALSE)"
        }
        Is::UnsupportedCertVersion => {
            "it is of version 1 (X.509v1), and so without a subject alternative name: have it issued as version 3"
        }
        Is::NameConstraintViolation => "its CA may not vouch for this name (name constraints)",
        Is::PathLenConstraintViolated | Is::MaximumPathDepthExceeded => {
            "its chain is longer than its CA allows"
        }
        Is::EmptyEkuExtension => "its extended key usage is empty, so it is for no purpose",
        Is::UnsupportedCriticalExtension => "it has a critical extension that is not known here",
        Is::CertDistrusted => "its CA is not to be trusted any more",
        _ => return None,
    }))
}

/// Describes the alert with which a server ended the handshake (RFC 8446 section 6.2).
fn of_alert(alert: Alert, route: &Route) -> String {
    let at = &route.at;
    let failed = |why| format!("the TLS handshake with {at} failed: {why}");
    let why = match alert {
        Alert::CertificateRequired => "",
        Alert::UnknownCA => "it does not know its CA",
        Alert::CertificateExpired => "it has expired",
        Alert::CertificateRevoked => "it was revoked",
        Alert::BadCertificate | Alert::UnsupportedCertificate => {
            "it does not accept this kind of certificate"
        }
        Alert::CertificateUnknown | Alert::AccessDenied => "it gives no reason",
        Alert::ProtocolVersion | Alert::InsufficientSecurity => {
            return failed("it speaks neither TLS 1.2 nor 1.3");
        }
        Alert::UnrecognisedName => {
            return failed("it does not know the name that it was asked for");
        }
        // A server with TLS 1.2 also sends this alert when it gets no certificate.
        Alert::HandshakeFailure if !route.shows_certificate => {
            return failed("no cipher suits both sides, or it asks for a client certificate");
        }
        Alert::HandshakeFailure => {
            return failed(
                "no cipher suits both sides, or it does not take the client certificate",
            );
        }
        _ => return format!("the TLS handshake with {at} failed"),
    };
    let asks = format!("{at} asks for a client certificate that it trusts");
    if !route.shows_certificate {
        format!("{asks}, and none is configured (client-certificate)")
    } else if why.is_empty() {
        asks
    } else {
        format!("{asks}, and refuses the configured one: {why}")
    }
}

/// Formats a moment in brackets after `words`; the result is empty if the moment has no date.
fn date(words: &str, at: UnixTime) -> String {
    let seconds = at.as_secs();
    if seconds >= END_OF_DATES {
        return String::new();
    }
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
    format!(" ({words} {date})")
}

#[cfg(test)]
mod tests;
