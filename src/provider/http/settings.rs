//! How an issuer is reached.

use std::fmt;
use std::time::Duration;

use url::Url;

use super::{Identity, Resolver, Roots};

/// How an issuer is reached. The default is what a user gets who configures nothing.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Whom to trust.
    pub roots: Roots,
    /// Which proxy to use; never one for a loopback IP literal.
    pub proxy: Proxy,
    /// The client certificate to show, if any.
    pub identity: Option<Identity>,
    /// Who looks names up, a proxy's included.
    pub resolver: Resolver,
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// Which proxy is used. It is only ever asked to open a tunnel (`CONNECT`), and sees nothing of what goes through.
#[derive(Clone, Default)]
pub enum Proxy {
    /// None, whatever the environment says: an environment is written by many, and a proxy learns who asks whom.
    #[default]
    None,
    /// This one, an `http://` address.
    Url(Url),
    /// What `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say when the client is built.
    Environment,
}

/// The deadlines; each includes those before it.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Name resolution, connection and TLS handshake.
    pub connect: Duration,
    /// One request and its whole answer.
    pub exchange: Duration,
    /// One attempt to get a token, which may need several requests.
    pub fetch: Duration,
}

// === impl Timeouts ===

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            exchange: Duration::from_secs(10),
            fetch: Duration::from_secs(20),
        }
    }
}

// === impl Proxy ===

impl fmt::Debug for Proxy {
    /// A proxy's address may hold a password, so its origin only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Url(url) => f.write_str(&url.origin().ascii_serialization()),
            Self::Environment => f.write_str("Environment"),
        }
    }
}
