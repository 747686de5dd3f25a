//! The HTTP client for calls of an issuer's API.
//!
//! Calls are rare, so it keeps no idle connection.

use std::sync::Arc;

use reqwest::{Client, ClientBuilder, redirect, retry};
use rustls::sign::CertifiedKey;

use super::{Settings, headers};
use crate::config::{Origin, Proxy};
use crate::credential::Ca;
use crate::fault::{Fault, FaultKind};

/// Builds a client for calls of one origin. Blocks, because it reads files.
///
/// # Errors
/// A [`Fault`] if a file or the proxy's address cannot be used.
pub(super) fn build(
    origin: &Origin,
    settings: &Settings,
    identity: Option<Arc<CertifiedKey>>,
    ca: Option<&Ca>,
    max_idle: usize,
) -> Result<Client, Fault> {
    let builder = ClientBuilder::new()
        .default_headers(headers::usual())
        // A redirect would carry the token to another server.
        .redirect(redirect::Policy::none())
        .referer(false)
        // The server might execute a repeated call twice.
        .retry(retry::never())
        .https_only(origin.is_https())
        .http1_only()
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .connect_timeout(settings.timeouts.connect)
        .pool_max_idle_per_host(max_idle)
        // The default resolver panics when the system refuses a thread.
        .dns_resolver(settings.resolver.clone());
    let unusable = |what| move |_| Fault::new(FaultKind::Connect, what);
    let builder = match &settings.proxy {
        _ if origin.is_loopback() => builder.no_proxy(),
        Proxy::Direct => builder.no_proxy(),
        // A fallback to a direct connection would bypass the configured route.
        Proxy::Http(url) => {
            let proxy = reqwest::Proxy::all(url.url().clone());
            let proxy = proxy.map_err(unusable("the configured proxy's address cannot be used"))?;
            builder.no_proxy().proxy(proxy)
        }
        Proxy::Environment => builder,
    };
    let builder = match origin.is_https() {
        // Without TLS no roots are needed. An empty set works even where the system has no roots.
        false => builder.tls_certs_only([]),
        true => builder.tls_backend_preconfigured(settings.roots.tls(identity, ca)?),
    };
    builder
        .build()
        .map_err(|_| Fault::new(FaultKind::NoCa, "no TLS client can be built"))
}
