//! The sandbox: a control plane of our own on loopback that speaks as Run:ai's does, and fails on demand.
//!
//! It serves our tests, `jetond demo`, and whoever wants to try a client without an account. Two listeners: the control
//! plane itself, and a control address where faults are switched.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use jetond::credential::ClientSecret;
//! use jetond::sandbox::{Fault, Line, Options, Sandbox};
//!
//! let secret = ClientSecret::parse("not-a-secret").map_err(std::io::Error::other)?;
//! let sandbox = Sandbox::start(Options::new(Line::V2_24, "app", secret)).await?;
//! sandbox.set_fault_for(Fault::Status(503), 2).await?; // the next two token requests fail
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//! A connection: `door` (the port) → `server` → `service` (one request) → `issuer` (decides, without I/O) → `script`
//! (how the answer is delivered). Beside it: `line` (which endpoints a release has), `grant` (reads a token request),
//! `answer` (the bodies), `jwt`, `ledger` (the tokens issued), `fault`, `moment` (the clocks), `record`, `panel` (the switches), `control` (the
//! switches by HTTP).

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::credential::ClientSecret;

mod answer;
mod control;
mod door;
mod fault;
mod grant;
mod issuer;
mod jwt;
mod ledger;
mod line;
mod moment;
mod panel;
mod record;
mod script;
mod server;
mod service;
#[cfg(test)]
mod tests;

pub use fault::{Fault, InvalidFault, TOKEN_PLACEHOLDER};
pub use line::{Line, UnknownLine};
pub use record::{Seen, Stats};

use door::Door;
use issuer::Issuer;
use panel::Panel;

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
    /// The one client that gets tokens.
    pub client_id: String,
    /// Its secret.
    pub client_secret: ClientSecret,
    /// How long a token lives: a second or more. The answer and the JWT tell whole seconds, rounded down.
    pub token_life: Duration,
    /// What the control plane says on paths that it does not have.
    pub unknown_path: UnknownPath,
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

/// A running sandbox. Dropping it stops it: the ports are closed and its connections cut.
#[derive(Debug)]
pub struct Sandbox {
    panel: Panel,
    address: SocketAddr,
    control: SocketAddr,
    tasks: JoinSet<()>,
}

// === impl Options ===

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
        }
    }

    fn check(&self) -> io::Result<()> {
        let loopback = self.listen.ip().is_loopback() && self.control.ip().is_loopback();
        let problem = if !loopback {
            // anyone who reaches it can switch it, and it has no TLS
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

// === impl Sandbox ===

impl Sandbox {
    /// Starts a sandbox on the current runtime. When this returns, both ports take connections.
    ///
    /// # Errors
    /// The options are not possible (`InvalidInput`), or a port is taken.
    pub async fn start(options: Options) -> io::Result<Self> {
        options.check()?;
        let door = Door::open(options.listen)?;
        let control_door = Door::open(options.control)?;
        let (address, control) = (door.address(), control_door.address());
        let url = format!("http://{address}");
        let (looks, looked_for) = mpsc::channel(1);
        let panel = Panel::new(Issuer::new(options, url.clone()), looks);
        let mut tasks = JoinSet::new();
        tasks.spawn(server::run(door, panel.clone(), looked_for));
        tasks.spawn(control::run(control_door, panel.clone(), url));
        Ok(Self {
            panel,
            address,
            control,
            tasks,
        })
    }

    /// The address of the control plane: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address where faults are switched; `GET /` there explains it.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// Puts a fault in force until it is changed, or ends it. When this returns, it is so.
    ///
    /// # Errors
    /// The port could not be opened again after [`Fault::Refuse`].
    pub async fn set_fault(&self, fault: Option<Fault>) -> io::Result<()> {
        self.panel.set_fault(fault, None).await
    }

    /// Puts a fault in force for the next `requests` token requests.
    ///
    /// # Errors
    /// [`Fault::Refuse`] (`InvalidInput`): no request arrives that could be counted. Else as [`Sandbox::set_fault`].
    pub async fn set_fault_for(&self, fault: Fault, requests: u64) -> io::Result<()> {
        self.panel.set_fault(Some(fault), Some(requests)).await
    }

    /// The fault in force.
    pub fn fault(&self) -> Option<Fault> {
        self.panel.issuer().fault().cloned()
    }

    /// Counts since the start.
    pub fn stats(&self) -> Stats {
        self.panel.stats()
    }

    /// Every token issued, in order (of the last 16,384), lost and revoked ones included: for leak checks.
    pub fn issued(&self) -> Vec<String> {
        self.panel.issuer().issued()
    }

    /// What each token request looked like, in order (of the last 16,384).
    pub fn requests(&self) -> Vec<Seen> {
        self.panel.issuer().seen()
    }

    /// Changes the client secret behind the client's back. Tokens stay valid.
    pub fn set_secret(&self, secret: ClientSecret) {
        self.panel.issuer().set_secret(secret);
    }

    /// Revokes every token issued so far.
    pub fn revoke_all(&self) {
        self.panel.issuer().revoke_all();
    }

    /// Stops the sandbox, and waits until its sockets are closed; dropping it closes them a moment later.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}
