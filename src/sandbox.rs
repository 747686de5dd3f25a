//! The sandbox: a fake control plane on loopback that behaves like Run:ai's, and fails on demand.
//!
//! It serves the tests, `jetond demo`, and users who want to try a client without an account. It has two listeners:
//! the control plane, and a control address where faults are switched. Behaviour that the vendor does not document is
//! a guess; the comments mark each guess.
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
//! A connection: `main_port` (the port) → `server` (with `tls`) → `service` (one request) → `issuer` (applies the fault
//! in force, without I/O) → `tenant` (answers as without a fault) → `script` (delivers the answer). For other requests
//! than token requests, `execute` applies the fault, and `pending` is a request that is executed later.
//!
//! Parts of the tenant: `line` (what each release has), `endpoint` (the paths), `grant` (parses a token request),
//! `router` (what a token allows, by endpoint and role), `keys` and `manage` (the keys, and the endpoints that manage
//! them), `resources` and `clusters` (the other endpoints), `ledger` (the tokens issued), `jwt`, `answer` (the
//! bodies), `moment` (the clocks), `setting` (the possible settings), `conduct` (the settings in force), `role`.
//!
//! Parts of the faults: `fault`, `switch` (the fault in force), `timeline` (a schedule of faults), `player` (follows
//! a timeline), `panel` (the switches), `control` (the switches over HTTP), `record` (counts and past requests),
//! `options`.

use std::io;
use std::net::SocketAddr;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::credential::ClientSecret;

mod answer;
mod clusters;
mod conduct;
mod control;
mod endpoint;
mod execute;
mod fault;
mod grant;
mod issuer;
mod jwt;
mod keys;
mod ledger;
mod line;
mod main_port;
mod manage;
mod moment;
mod options;
mod panel;
mod pending;
mod player;
mod random;
mod record;
mod resources;
mod role;
mod router;
mod script;
mod server;
mod service;
mod setting;
mod switch;
mod tenant;
#[cfg(test)]
mod tests;
mod timeline;
mod tls;

pub use fault::{Execution, Fault, InvalidFault, SecretFault, TOKEN_PLACEHOLDER, TlsFault};
pub use line::{Line, UnknownLine};
pub use options::{OldTokens, Options, UnknownPath};
pub use record::{Application, Stats, TokenRequestForm};
pub use role::Role;
pub use setting::{
    ClusterVersion, Clusters, InvalidSetting, LastLogin, MaxItems, OwnKeys, Setting,
};
pub use timeline::{InvalidStep, InvalidTimeline, Timeline};

use issuer::Issuer;
use main_port::MainPort;
use moment::Moment;
use panel::SandboxHandle;
use tls::Tls;

/// A running sandbox. Dropping it closes its ports and its connections.
#[derive(Debug)]
pub struct Sandbox {
    panel: SandboxHandle,
    address: SocketAddr,
    control: SocketAddr,
    tasks: JoinSet<()>,
}

// === impl Sandbox ===

impl Sandbox {
    /// Starts a sandbox on the current runtime. When this returns, both ports accept connections.
    ///
    /// # Errors
    /// The options are impossible (`InvalidInput`), a port is taken, or no certificates can be made.
    pub async fn start(options: Options) -> io::Result<Self> {
        options.check()?;
        let door = MainPort::open(options.listen)?;
        let control_door = MainPort::open(options.control)?;
        let (address, control) = (door.address(), control_door.address());
        let now = Moment::now();
        let tls = if options.tls {
            Some(Tls::new(address.ip(), &options.names, now)?)
        } else {
            None
        };
        let url = url(address, tls.is_some());
        let (looks, looked_for) = mpsc::channel(1);
        let (timelines, planned) = mpsc::channel(1);
        let issuer = Issuer::new(options, url.clone(), now);
        let panel = SandboxHandle::new(issuer, tls, looks, timelines);
        let mut tasks = JoinSet::new();
        tasks.spawn(server::run(door, panel.clone(), looked_for));
        tasks.spawn(player::run(panel.clone(), planned));
        tasks.spawn(control::run(control_door, panel.clone(), url));
        Ok(Self {
            panel,
            address,
            control,
            tasks,
        })
    }

    /// Returns the address of the control plane: `http://127.0.0.1:PORT`, or `https` with TLS.
    pub fn url(&self) -> String {
        url(self.address, self.ca().is_some())
    }

    /// Returns the certificate to trust, in PEM form, if the sandbox has TLS. It differs at each start.
    pub fn ca(&self) -> Option<&str> {
        self.panel.tls().map(Tls::ca)
    }

    /// Returns the address where faults are switched; `GET /` there explains it.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// Puts a fault in force until it is changed; `None` ends the present one. Returns when the change is in effect.
    ///
    /// # Errors
    /// The port could not be opened again after [`Fault::Refuse`], or its queue could not be filled for
    /// [`Fault::HangConnect`]; or [`Fault::Tls`] without TLS (`InvalidInput`).
    pub async fn set_fault(&self, fault: Option<Fault>) -> io::Result<()> {
        self.panel.set_fault(fault, None).await
    }

    /// Puts a fault in force for the next `requests` that it affects: token requests, or those that change or read
    /// keys.
    ///
    /// # Errors
    /// `InvalidInput` for [`Fault::Refuse`], [`Fault::HangConnect`] and [`Fault::Tls`]: with them, no request arrives
    /// that could be counted. Otherwise the errors of [`Sandbox::set_fault`].
    pub async fn set_fault_for(&self, fault: Fault, requests: u64) -> io::Result<()> {
        self.panel.set_fault(Some(fault), Some(requests)).await
    }

    /// Follows a timeline from now on, instead of the previous one. Returns when its steps for this moment are in
    /// effect.
    ///
    /// # Errors
    /// The timeline has a [`Fault::Tls`] but the sandbox has no TLS (`InvalidInput`), or the sandbox has stopped.
    pub async fn run_script(&self, timeline: Timeline) -> io::Result<()> {
        self.panel.play(timeline).await
    }

    /// Returns the fault in force.
    pub fn fault(&self) -> Option<Fault> {
        self.panel.issuer().switch.fault().cloned()
    }

    /// Returns the counts since the start.
    pub fn stats(&self) -> Stats {
        self.panel.stats()
    }

    /// Returns the last 16,384 issued tokens in order, including lost and revoked ones: for leak checks.
    pub fn issued(&self) -> Vec<String> {
        self.panel.issuer().tenant.ledger.issued()
    }

    /// Returns the last 16,384 secrets that were made for keys in order, including dead ones: for leak checks.
    pub fn secrets(&self) -> Vec<String> {
        self.panel.issuer().tenant.keys.secrets()
    }

    /// Returns the present keys, the oldest first.
    pub fn applications(&self) -> Vec<Application> {
        self.panel.issuer().tenant.keys.list()
    }

    /// Returns what each of the last 16,384 token requests looked like, in order.
    pub fn requests(&self) -> Vec<TokenRequestForm> {
        self.panel.issuer().seen()
    }

    /// Changes the secret of the initial key without telling its user. Tokens stay valid.
    pub fn set_secret(&self, secret: ClientSecret) {
        self.panel.issuer().tenant.keys.set_first_secret(secret);
    }

    /// Revokes all tokens issued so far.
    pub fn revoke_all(&self) {
        self.panel.issuer().tenant.ledger.revoke_all();
    }

    /// Changes a setting, from the next request on.
    pub fn set(&self, setting: Setting) {
        let now = Moment::now();
        self.panel.issuer().tenant.set(setting, now);
    }

    /// Returns all settings in force.
    pub fn settings(&self) -> Vec<Setting> {
        self.panel.issuer().tenant.conduct.list()
    }

    /// Sets whether a key's tokens stay valid from now on when the key loses its secret.
    pub fn set_old_tokens(&self, old_tokens: OldTokens) {
        self.panel.issuer().tenant.set_old_tokens(old_tokens);
    }

    /// Stops the sandbox, and returns when its sockets are closed; dropping it closes them a moment later.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

fn url(address: SocketAddr, encrypted: bool) -> String {
    let scheme = if encrypted { "https" } else { "http" };
    format!("{scheme}://{address}")
}
