//! From an error of the HTTP client to a fault: the kind by the types in its chain of sources, the sentence our own.
//!
//! No text of a foreign error is passed on, since some quote an address or an answer; the operating system's reason
//! is the one exception, and it is made from its number.

use std::error::Error;
use std::io::{self, ErrorKind};

use rustls::CertificateError;

use super::{ResolveError, Timeouts};
use crate::fault::{Fault, FaultKind};

/// The way that a request took, for messages.
#[derive(Debug)]
pub(super) struct Route {
    /// `scheme://host:port`.
    pub(super) at: String,
    /// The proxy in words, if one is configured.
    pub(super) proxy: Option<String>,
}

/// What an error means.
pub(super) fn classify(error: &reqwest::Error, route: &Route, timeouts: &Timeouts) -> Fault {
    let at = &route.at;
    let kind = kind(error);
    let before_it = |proxy: &String| at_the_proxy(error, kind, proxy, at);
    if let Some(what) = route.proxy.as_ref().and_then(before_it) {
        return Fault::new(kind, what);
    }
    let what = match kind {
        FaultKind::Dns => format!("the name in {at} {}", unresolved(error)),
        FaultKind::Connect => format!("cannot connect to {at}"),
        FaultKind::TlsName => format!("the certificate of {at} is for another name"),
        FaultKind::TlsExpired => {
            format!(
                "the certificate of {at} has expired or is not valid yet; is this machine's clock right?"
            )
        }
        FaultKind::TlsUntrusted if is_bad_certificate(error) => {
            format!("the certificate of {at} is not trusted")
        }
        FaultKind::TlsUntrusted if is_about_ours(error) => {
            format!("{at} asks for a client certificate that it trusts")
        }
        FaultKind::TlsUntrusted => format!("the TLS handshake with {at} failed"),
        FaultKind::Timeout if error.is_connect() => {
            format!("no connection to {at} within {:?}", timeouts.connect)
        }
        FaultKind::Timeout => format!(
            "no complete answer from {at} within {:?}",
            timeouts.exchange
        ),
        FaultKind::TooLarge => format!("{at} answered with too many or too long headers"),
        FaultKind::Malformed => format!("{at} answered with something other than HTTP/1.1"),
        _ => format!("the connection to {at} broke before the answer was complete"),
    };
    let proxy = route
        .proxy
        .as_ref()
        .map_or_else(String::new, |proxy| format!(", through {proxy}"));
    let reason = sources(error)
        .filter_map(|source| source.downcast_ref::<io::Error>()?.raw_os_error())
        .last()
        .map_or_else(String::new, |number| {
            format!(": {}", io::Error::from_raw_os_error(number))
        });
    Fault::new(kind, format!("{what}{proxy}{reason}"))
}

/// The most telling type decides: a handshake's reason before the connection's that failed by it.
fn kind(error: &reqwest::Error) -> FaultKind {
    if let Some(kind) = sources(error).find_map(|e| e.downcast_ref().map(tls_kind)) {
        return kind;
    }
    if error.is_dns() {
        return FaultKind::Dns;
    }
    if error.is_timeout() {
        return FaultKind::Timeout;
    }
    if let Some(kind) = sources(error).find_map(|e| http_kind(e.downcast_ref()?)) {
        return kind;
    }
    if let Some(kind) = sources(error).find_map(|e| io_kind(e.downcast_ref()?)) {
        return kind;
    }
    if error.is_connect() {
        FaultKind::Connect
    } else {
        FaultKind::Reset
    }
}

/// What happened before there was a tunnel through the proxy, where that is certain.
fn at_the_proxy(error: &reqwest::Error, kind: FaultKind, proxy: &str, at: &str) -> Option<String> {
    // No tunnel, without a reason that has a type of its own or an error of the operating system below it.
    let no_tunnel = || error.is_connect() && !sources(error).any(|e| e.is::<io::Error>());
    match kind {
        // Through a proxy only its own name is resolved here, but the environment may name none for this address.
        FaultKind::Dns => Some(format!(
            "the name of {proxy}, or else that in {at}, {}",
            unresolved(error)
        )),
        FaultKind::Connect if no_tunnel() => {
            // The type is not public, so there is only its text; whatever else it says decides nothing.
            let text = sources(error).last()?.to_string();
            let what = if text.ends_with("proxy authorization required") {
                "demands a user name and a password (407) before it lets us through"
            } else {
                "does not let us through"
            };
            Some(format!("{proxy} {what} to {at}"))
        }
        _ => None,
    }
}

/// What there is no address for, in the words that follow a name.
fn unresolved(error: &reqwest::Error) -> String {
    sources(error)
        .find_map(|source| source.downcast_ref::<ResolveError>())
        .map_or_else(|| "cannot be resolved".to_owned(), ToString::to_string)
}

fn tls_kind(error: &rustls::Error) -> FaultKind {
    let rustls::Error::InvalidCertificate(error) = error else {
        return FaultKind::TlsUntrusted;
    };
    match error {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            FaultKind::TlsName
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => FaultKind::TlsExpired,
        _ => FaultKind::TlsUntrusted,
    }
}

fn is_bad_certificate(error: &reqwest::Error) -> bool {
    sources(error).any(|e| matches!(e.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))))
}

/// Whether the server ended the handshake because of our certificate, or of there being none (RFC 8446 section 6.2).
fn is_about_ours(error: &reqwest::Error) -> bool {
    use rustls::AlertDescription as Alert;
    let alert = sources(error).find_map(|e| match e.downcast_ref() {
        Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
        _ => None,
    });
    matches!(
        alert,
        Some(
            Alert::CertificateRequired
                | Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::AccessDenied
        )
    )
}

fn http_kind(error: &hyper::Error) -> Option<FaultKind> {
    if error.is_parse_too_large() {
        Some(FaultKind::TooLarge)
    } else if error.is_parse() {
        Some(FaultKind::Malformed)
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        Some(FaultKind::Reset)
    } else {
        None
    }
}

fn io_kind(error: &io::Error) -> Option<FaultKind> {
    match error.kind() {
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected
        | ErrorKind::UnexpectedEof => Some(FaultKind::Reset),
        // A chunk whose size is not a number, and the like.
        ErrorKind::InvalidData | ErrorKind::InvalidInput => Some(FaultKind::Malformed),
        _ => None,
    }
}

/// The error and all below it. An I/O error's own `source` passes over the error that it wraps, so that one is asked for.
fn sources<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let first: &'a (dyn Error + 'static) = error;
    std::iter::successors(Some(first), |error| {
        let error: &'a (dyn Error + 'static) = *error;
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}

#[cfg(test)]
mod tests;
