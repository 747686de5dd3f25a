//! The options of a sandbox.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::line::Line;
use super::role::Role;
use super::setting::Setting;
use crate::credential::ClientSecret;

/// The maximum lifetime of a token. It keeps a value that stands for "for ever" from overflowing a date.
const MAX_TOKEN_LIFE: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The options of a sandbox.
#[derive(Debug)]
pub struct Options {
    /// The release line to reproduce.
    pub line: Line,
    /// The address of the control plane, on loopback. Port 0 means any free port.
    pub listen: SocketAddr,
    /// The control address, on loopback. Port 0 means any free port.
    pub control: SocketAddr,
    /// The client ID of the initial key: a user's, or the organisation's on lines without user keys.
    pub client_id: String,
    /// The secret of the initial key.
    pub client_secret: ClientSecret,
    /// The lifetime of a token: at least a second. The answer and the JWT have whole seconds, rounded down.
    pub token_life: Duration,
    /// The answer to paths that the control plane does not have.
    pub unknown_path: UnknownPath,
    /// The role of the user, and so of each of the user's keys; on lines without user keys, that of the initial key.
    pub role: Role,
    /// Whether a key's tokens stay valid when its secret is regenerated, or when it is deleted or disabled.
    pub old_tokens: OldTokens,
    /// The settings, in the order in which they are applied.
    pub settings: Vec<Setting>,
    /// Whether the control plane only accepts TLS, with a certification authority that is made at the start. The
    /// control address has no TLS.
    pub tls: bool,
    /// Further names in its certificate, beside the address and `localhost`, for clients that resolve them to the
    /// address.
    pub names: Vec<String>,
}

/// The answer to paths that the control plane does not have. Real servers send either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UnknownPath {
    /// 200 with the web application's page, as `app.run.ai` was seen to answer.
    #[default]
    Html,
    /// 404 with the vendor's `Error`.
    NotFound,
}

/// What happens to issued tokens when their key's secret is replaced or removed. The vendor documents neither
/// variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OldTokens {
    /// They stay valid until they expire, like self-contained tokens that are checked without asking the issuer.
    #[default]
    Survive,
    /// They are revoked.
    Die,
}

impl Options {
    /// Makes options for free ports of 127.0.0.1, with tokens that live for an hour.
    pub fn new(line: Line, client_id: impl Into<String>, client_secret: ClientSecret) -> Self {
        Self {
            line,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            control: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            client_id: client_id.into(),
            client_secret,
            token_life: Duration::from_secs(3_600),
            unknown_path: UnknownPath::default(),
            role: Role::default(),
            old_tokens: OldTokens::default(),
            settings: vec![],
            tls: false,
            names: vec![],
        }
    }

    /// Refuses impossible options, before any port is opened.
    pub(super) fn check(&self) -> io::Result<()> {
        let loopback = self.listen.ip().is_loopback() && self.control.ip().is_loopback();
        let problem = if !loopback {
            // any process that can reach the sandbox can switch it
            "the sandbox listens on loopback alone"
        } else if !(Duration::from_secs(1)..=MAX_TOKEN_LIFE).contains(&self.token_life) {
            "a token lives from one second to a hundred years"
        } else if self.client_id.is_empty() {
            "the client ID is empty"
        } else {
            return Ok(());
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
    }
}
