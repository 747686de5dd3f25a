//! Building a client: what it may do, whom it trusts, and which way it takes.

use std::sync::Arc;

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, redirect, retry};
use rustls::sign::CertifiedKey;

use super::Settings;
use super::reuse::Keeping;
use crate::config::{Origin, Proxy};
use crate::credential::Ca;
use crate::fault::{Fault, FaultKind};

/// Builds a client for one origin. Blocks: files are read for it.
///
/// # Errors
/// A [`Fault`] if a file or the proxy's address cannot be used.
pub(super) fn build(
    origin: &Origin,
    settings: &Settings,
    identity: Option<Arc<CertifiedKey>>,
    ca: Option<&Ca>,
    connections: &Keeping,
    is_shared: bool,
) -> Result<Client, Fault> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    // Without it a server may choose any coding (RFC 9110 section 12.5.3).
    headers.insert(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    );
    let builder = ClientBuilder::new()
        .user_agent(concat!("jeton/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        // A redirect would carry the secret elsewhere: on 307 and 308 with the whole body.
        .redirect(redirect::Policy::none())
        .referer(false)
        // When to try again is the schedule's to say; a client that repeats on its own breaks its promises.
        .retry(retry::never())
        .https_only(origin.is_https())
        .http1_only()
        // Odd headers that decide nothing (RFC 9112 sections 5.1 and 5.2): a folded one, a space before the colon, and
        // a character that a value cannot have, whose line is dropped.
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .connect_timeout(settings.timeouts.connect)
        .timeout(settings.timeouts.exchange)
        // The default one panics when the system refuses a thread.
        .dns_resolver(settings.resolver.clone());
    let builder = connections.apply(builder, is_shared);
    let builder = match &settings.proxy {
        _ if origin.is_loopback() => builder.no_proxy(),
        Proxy::Direct => builder.no_proxy(),
        // Falling back to a direct connection would be another route than the one that was asked for.
        Proxy::Http(url) => {
            let proxy = reqwest::Proxy::all(url.url().clone()).map_err(|_| {
                Fault::new(
                    FaultKind::Connect,
                    "the configured proxy's address cannot be used",
                )
            })?;
            builder.no_proxy().proxy(proxy)
        }
        Proxy::Environment => builder,
    };
    let roots = &settings.roots;
    roots.build(builder, origin.is_https(), identity, ca)
}
