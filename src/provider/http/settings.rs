//! How an issuer is reached.

use std::time::Duration;

use tokio::time::Instant;

use super::{Resolver, Roots};
use crate::config::{ClientCertificate, Proxy};

/// How an issuer is reached. The default is what a user gets who configures nothing.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Whom to trust.
    pub roots: Roots,
    /// Which proxy to use; never one for a loopback IP literal. It is only ever asked to open a tunnel (`CONNECT`), and
    /// sees nothing of what goes through.
    pub proxy: Proxy,
    /// The client certificate to show, if any.
    pub client_certificate: Option<ClientSource>,
    /// Who looks names up, a proxy's included.
    pub resolver: Resolver,
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// Where a client certificate is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSource {
    /// Its files.
    pub files: ClientCertificate,
    /// The only user besides root who may change them.
    pub owner: u32,
}

/// The deadlines; each includes those before it.
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
    /// Whether both reach an issuer in the same way.
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
    /// The deadline of an exchange that begins now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the deadline of a socket's timeout, on the runtime's clock"
    )]
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.exchange
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            exchange: Duration::from_secs(10),
            // Three addresses of a discovery document, 5 s each, and then a whole exchange with the token endpoint.
            fetch: Duration::from_secs(25),
        }
    }
}
