//! Converts an error of the HTTP client to a fault.
//!
//! The kind comes from the types in its chain of sources; the message is written here.
//!
//! The text of a foreign error is never passed on, because some errors quote an address or an answer. The only
//! exception is the operating system's reason, which is made from the error number.

use std::error::Error;
use std::io::{self, ErrorKind};

use hyper_util::client::legacy;
use rustix::io::Errno;

use super::exceeded::Exceeded;
use super::route::Route;
use super::{ResolveError, Timeouts, families};
use crate::fault::{Fault, FaultKind};

/// An error with all its sources.
type Cause<'a> = &'a (dyn Error + 'static);

/// Converts an error to a fault.
pub(super) fn classify(error: Cause<'_>, route: &Route, timeouts: &Timeouts) -> Fault {
    let at = &route.at;
    let kind = kind(error);
    let before_it = |proxy: &String| at_the_proxy(error, kind, proxy, at);
    if let Some(what) = route.proxy.as_ref().and_then(before_it) {
        return Fault::new(kind, what);
    }
    if let Some(error) = of_tls(error) {
        let through = route
            .proxy
            .as_ref()
            .map(|proxy| format!(" (through {proxy})"));
        let what = tls::words(error, route) + through.as_deref().unwrap_or_default();
        return Fault::new(kind, what);
    }
    let what = match kind {
        FaultKind::Dns => format!("the name in {at} {}", unresolved(error)),
        FaultKind::Connect => format!("cannot connect to {at}"),
        FaultKind::Timeout if is_connect(error) => {
            format!("no connection to {at} within {:?}", timeouts.connect)
        }
        FaultKind::Timeout => format!(
            "no complete answer from {at} within {:?}",
            timeouts.exchange
        ),
        FaultKind::InterimAnswers => {
            format!("{at} sent too many interim answers (1xx) before the final one")
        }
        FaultKind::TooLarge => format!("{at} answered with too many or too long headers"),
        FaultKind::Malformed if is_about_length(error) => {
            format!("{at} answered with a Content-Length or Transfer-Encoding that cannot be used")
        }
        FaultKind::Malformed => format!("{at} answered with something other than HTTP/1.1"),
        _ => format!("the connection to {at} broke before the answer was complete"),
    };
    let proxy = route
        .proxy
        .as_ref()
        .map_or_else(String::new, |proxy| format!(", through {proxy}"));
    let number = sources(error)
        .filter_map(|source| source.downcast_ref::<io::Error>()?.raw_os_error())
        .last();
    let reason = number.map_or_else(String::new, |number| {
        format!(": {}", io::Error::from_raw_os_error(number))
    });
    let lacking = match kind {
        FaultKind::Dns => families::lacking_for_names(),
        _ if number == Some(Errno::AFNOSUPPORT.raw_os_error()) => families::lacking(),
        _ => None,
    };
    let lacking = lacking.map_or_else(String::new, |lacking| format!("; {lacking}"));
    Fault::new(kind, format!("{what}{proxy}{reason}{lacking}"))
}

/// Finds the kind. The most specific type decides: the reason of a failed handshake comes before the error of its
/// connection.
fn kind(error: Cause<'_>) -> FaultKind {
    if let Some(error) = of_tls(error) {
        return tls::kind(error);
    }
    if sources(error).any(|e| e.is::<ResolveError>()) {
        return FaultKind::Dns;
    }
    if is_late(error) {
        return FaultKind::Timeout;
    }
    if is_exceeded(error, Exceeded::InterimAnswers) {
        return FaultKind::InterimAnswers;
    }
    if let Some(kind) = sources(error).find_map(|e| http_kind(e.downcast_ref()?)) {
        return kind;
    }
    if let Some(kind) = sources(error).find_map(|e| io_kind(e.downcast_ref()?)) {
        return kind;
    }
    if is_connect(error) {
        FaultKind::Connect
    } else {
        FaultKind::Reset
    }
}

/// Returns whether the error occurred before there was a connection.
pub(super) fn is_connect(error: Cause<'_>) -> bool {
    let mut errors = sources(error).filter_map(|e| e.downcast_ref::<legacy::Error>());
    errors.any(legacy::Error::is_connect)
}

fn is_exceeded(error: Cause<'_>, how: Exceeded) -> bool {
    sources(error).any(|e| e.downcast_ref() == Some(&how))
}

fn is_late(error: Cause<'_>) -> bool {
    let is_late_io = |e: Cause<'_>| {
        e.downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == ErrorKind::TimedOut)
    };
    let of_call = error.downcast_ref::<reqwest::Error>();
    of_call.is_some_and(reqwest::Error::is_timeout)
        || is_exceeded(error, Exceeded::Deadline)
        || sources(error).any(is_late_io)
}

/// Describes a failure to open a tunnel through the proxy, if it surely was one.
fn at_the_proxy(error: Cause<'_>, kind: FaultKind, proxy: &str, at: &str) -> Option<String> {
    // There is no tunnel, and the chain has neither a system error nor a more specific type.
    let no_tunnel = || is_connect(error) && !sources(error).any(|e| e.is::<io::Error>());
    match kind {
        // With a proxy, only the proxy's name is resolved here. But the environment may name no proxy for this
        // address, and then the failed name is that of the address.
        FaultKind::Dns => Some(format!(
            "the name of {proxy}, or else that in {at}, {}",
            unresolved(error)
        )),
        FaultKind::Connect if no_tunnel() => {
            // The error's type is not public, so its text has to be compared. An unknown text changes nothing.
            let text = sources(error).last()?.to_string();
            let what = if text.ends_with("proxy authorization required") {
                "demands a user name and a password (407) before it opens a connection"
            } else {
                "opens no connection"
            };
            Some(format!("{proxy} {what} to {at}"))
        }
        _ => None,
    }
}

/// Describes why a name was not resolved, as a phrase that follows the name.
fn unresolved(error: Cause<'_>) -> String {
    sources(error)
        .find_map(|source| source.downcast_ref::<ResolveError>())
        .map_or_else(|| "cannot be resolved".to_owned(), ToString::to_string)
}

/// Returns the reason of a failed handshake.
fn of_tls(error: Cause<'_>) -> Option<&rustls::Error> {
    sources(error).find_map(|source| source.downcast_ref())
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

/// Returns whether the answer's length headers are unusable. The error's type is not public, so its text has to be
/// compared. An unknown text changes nothing.
fn is_about_length(error: Cause<'_>) -> bool {
    let texts = sources(error).filter_map(|e| Some(e.downcast_ref::<hyper::Error>()?.to_string()));
    let mut texts = texts.map(|text| text.to_ascii_lowercase());
    texts.any(|text| text.contains("content-length") || text.contains("transfer-encoding"))
}

fn io_kind(error: &io::Error) -> Option<FaultKind> {
    match error.kind() {
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected
        | ErrorKind::UnexpectedEof => Some(FaultKind::Reset),
        // For example a chunk whose size is not a number.
        ErrorKind::InvalidData | ErrorKind::InvalidInput => Some(FaultKind::Malformed),
        _ => None,
    }
}

/// Returns the error and all its sources. The `source` of an I/O error skips the error that it wraps, so this asks
/// for the wrapped error.
fn sources<'a>(error: Cause<'a>) -> impl Iterator<Item = Cause<'a>> {
    std::iter::successors(Some(error), |error| {
        let error: Cause<'a> = *error;
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}

mod tls;

#[cfg(test)]
mod tests;
