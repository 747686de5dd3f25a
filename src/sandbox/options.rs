//! What a sandbox is to be.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::line::Line;
use super::role::Role;
use super::setting::Setting;
use crate::credential::ClientSecret;

/// The longest life of a token: what people mean by "for ever" must not overflow a date.
const MAX_TOKEN_LIFE: Duration = Duration::from_secs(100 * 365 * 86_400);

/// What a sandbox is to be.
#[derive(Debug)]
pub struct Options {
    /// The release line to reproduce.
    pub line: Line,
    /// The address of the control plane, on loopback; port 0 is any free one.
    pub listen: SocketAddr,
    /// The control address, on loopback; port 0 is any free one.
    pub control: SocketAddr,
    /// The key that it starts with: the user's, or the organisation's on lines where users have none.
    pub client_id: String,
    /// Its secret.
    pub client_secret: ClientSecret,
    /// How long a token lives: a second or more. The answer and the JWT tell whole seconds, rounded down.
    pub token_life: Duration,
    /// What the control plane says on paths that it does not have.
    pub unknown_path: UnknownPath,
    /// What the user may do, and with it each of the user's keys; where users have none, what the first key may do.
    pub role: Role,
    /// What becomes of a key's tokens when its secret is regenerated, or it is deleted or disabled.
    pub old_tokens: OldTokens,
    /// How it behaves, in the order in which the settings are applied.
    pub settings: Vec<Setting>,
    /// Whether the control plane is reached by TLS alone, with a certification authority made at the start. The
    /// control address has none.
    pub tls: bool,
    /// The names that its certificate is for beside the address and `localhost`: of whoever resolves them to it.
    pub names: Vec<String>,
}

/// The answer on paths that the control plane does not have. Both are out there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UnknownPath {
    /// 200 with the web application's page, as `app.run.ai` did when it was looked at.
    #[default]
    Html,
    /// 404 with the vendor's `Error`.
    NotFound,
}

/// What becomes of issued tokens when their key's secret does not exist any more. The vendor documents neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OldTokens {
    /// They are valid to their end, as self-contained tokens are where nobody asks the issuer about them.
    #[default]
    Survive,
    /// They are not valid any more.
    Die,
}

impl Options {
    /// A sandbox on free ports of 127.0.0.1 whose tokens live for an hour.
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

    /// Refuses what is not possible, before anything is opened.
    pub(super) fn check(&self) -> io::Result<()> {
        let loopback = self.listen.ip().is_loopback() && self.control.ip().is_loopback();
        let problem = if !loopback {
            // anyone who reaches it can switch it
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
