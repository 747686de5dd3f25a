//! The settings for reaching an issuer.

use std::time::Duration;

use tokio::time::Instant;

use super::{Resolver, Roots};
use crate::clock::from_now;
use crate::config::{ClientCertificate, Proxy};

/// The settings for reaching an issuer. The default applies if nothing is configured.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The trusted roots.
    pub roots: Roots,
    /// The proxy, which is never used for a loopback IP literal. It is only asked to open a tunnel (`CONNECT`), and
    /// cannot read what goes through.
    pub proxy: Proxy,
    /// The client certificate to show, if any.
    pub client_certificate: Option<ClientSource>,
    /// The resolver for all names, including the proxy's.
    pub resolver: Resolver,
    /// The timeouts.
    pub timeouts: Timeouts,
}

/// The files of a client certificate and their owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSource {
    /// The files.
    pub files: ClientCertificate,
    /// The only user besides root who may change them.
    pub owner: u32,
}

/// The timeouts; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Name resolution, connection and TLS handshake.
    pub connect: Duration,
    /// One request and its whole answer.
    pub exchange: Duration,
    /// One attempt to get a token, which may need several requests.
    pub fetch: Duration,
}

// === impl Settings ===

impl Settings {
    /// Returns whether both reach an issuer in the same way.
    pub(super) fn is(&self, other: &Self) -> bool {
        let Self {
            roots,
            proxy,
            client_certificate,
            resolver,
            timeouts,
        } = self;
        *roots == other.roots
            && *proxy == other.proxy
            && *client_certificate == other.client_certificate
            && resolver.is(&other.resolver)
            && *timeouts == other.timeouts
    }
}

// === impl Timeouts ===

impl Timeouts {
    /// Returns the deadline of an exchange that begins now.
    pub(super) fn deadline(&self) -> Instant {
        from_now(self.exchange)
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            exchange: Duration::from_secs(10),
            // Three addresses of a discovery document, 5 s each, and then a complete exchange with the token
            // endpoint.
            fetch: Duration::from_secs(25),
        }
    }
}
