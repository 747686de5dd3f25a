//! The sandbox: a control plane of our own on loopback that speaks as Run:ai's does, and fails on demand.
//!
//! It serves our tests, `jetond demo`, and whoever wants to try a client without an account. Two listeners: the control
//! plane itself, and a control address where faults are switched. What the vendor does not document is guessed, and
//! said to be a guess where it is.
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
//! A connection: `door` (the port) → `server` (with `tls`) → `service` (one request) → `issuer` (applies the fault in force, without
//! I/O; for other requests than those for tokens `execute`, and `pending` what is executed later) → `tenant` (decides as without a fault) → `script` (how the answer is delivered).
//!
//! The tenant's: `line` (which release has what), `endpoint` (the paths), `grant` (reads a token request), `router` (what
//! a token opens, by endpoint and role), `keys` and `manage` (the keys, and the endpoints that manage them), `resources`
//! and `clusters` (the other endpoints), `ledger` (the tokens issued), `jwt`, `answer` (the bodies), `moment` (the clocks), `setting`
//! (what can be chosen of its behaviour) and `conduct` (which settings are in force), `role`.
//!
//! The faults': `fault`, `switch` (which is in force), `timeline` (which comes when), `player` (follows a timeline), `panel`
//! (the switches), `control` (the switches by HTTP), `record` (what is remembered), `options`.

use std::io;
use std::net::SocketAddr;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::credential::ClientSecret;

mod answer;
mod clusters;
mod conduct;
mod control;
mod door;
mod endpoint;
mod execute;
mod fault;
mod grant;
mod issuer;
mod jwt;
mod keys;
mod ledger;
mod line;
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
pub use record::{Application, Seen, Stats};
pub use role::Role;
pub use setting::{
    ClusterVersion, Clusters, InvalidSetting, LastLogin, MaxItems, OwnKeys, Setting,
};
pub use timeline::{InvalidStep, InvalidTimeline, Timeline};

use door::Door;
use issuer::Issuer;
use moment::Moment;
use panel::Panel;
use tls::Tls;

/// A running sandbox. Dropping it stops it: the ports are closed and its connections cut.
#[derive(Debug)]
pub struct Sandbox {
    panel: Panel,
    address: SocketAddr,
    control: SocketAddr,
    tasks: JoinSet<()>,
}

// === impl Sandbox ===

impl Sandbox {
    /// Starts a sandbox on the current runtime. When this returns, both ports take connections.
    ///
    /// # Errors
    /// The options are not possible (`InvalidInput`), a port is taken, or no certificates can be made.
    pub async fn start(options: Options) -> io::Result<Self> {
        options.check()?;
        let door = Door::open(options.listen)?;
        let control_door = Door::open(options.control)?;
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
        let panel = Panel::new(issuer, tls, looks, timelines);
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

    /// The address of the control plane: `http://127.0.0.1:PORT`, or `https` with TLS.
    pub fn url(&self) -> String {
        url(self.address, self.ca().is_some())
    }

    /// The certificate to trust, in PEM form, of a sandbox with TLS: another one at each start.
    pub fn ca(&self) -> Option<&str> {
        self.panel.tls().map(Tls::ca)
    }

    /// The address where faults are switched; `GET /` there explains it.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// Puts a fault in force until it is changed, or ends it. When this returns, it is so.
    ///
    /// # Errors
    /// The port could not be opened again after [`Fault::Refuse`], or its queue not be filled for
    /// [`Fault::HangConnect`]; [`Fault::Tls`] without TLS (`InvalidInput`).
    pub async fn set_fault(&self, fault: Option<Fault>) -> io::Result<()> {
        self.panel.set_fault(fault, None).await
    }

    /// Puts a fault in force for the next `requests` that it concerns: token requests, or those that change or read keys.
    ///
    /// # Errors
    /// [`Fault::Refuse`], [`Fault::HangConnect`] and [`Fault::Tls`] (`InvalidInput`): no request arrives that could be counted. Else as
    /// [`Sandbox::set_fault`].
    pub async fn set_fault_for(&self, fault: Fault, requests: u64) -> io::Result<()> {
        self.panel.set_fault(Some(fault), Some(requests)).await
    }

    /// Follows a timeline from now on, in the place of the one before. When this returns, what is due at once is in
    /// force.
    ///
    /// # Errors
    /// It has a [`Fault::Tls`], and the sandbox no TLS (`InvalidInput`); or the sandbox has stopped.
    pub async fn run_script(&self, timeline: Timeline) -> io::Result<()> {
        self.panel.play(timeline).await
    }

    /// The fault in force.
    pub fn fault(&self) -> Option<Fault> {
        self.panel.issuer().switch.fault().cloned()
    }

    /// Counts since the start.
    pub fn stats(&self) -> Stats {
        self.panel.stats()
    }

    /// Every token issued, in order (of the last 16,384), lost and revoked ones included: for leak checks.
    pub fn issued(&self) -> Vec<String> {
        self.panel.issuer().tenant.ledger.issued()
    }

    /// Every secret that was made for a key, in order (of the last 16,384), dead ones included: for leak checks.
    pub fn secrets(&self) -> Vec<String> {
        self.panel.issuer().tenant.keys.secrets()
    }

    /// The keys as they are now, the oldest first.
    pub fn applications(&self) -> Vec<Application> {
        self.panel.issuer().tenant.keys.list()
    }

    /// What each token request looked like, in order (of the last 16,384).
    pub fn requests(&self) -> Vec<Seen> {
        self.panel.issuer().seen()
    }

    /// Changes the secret of the key that it started with, behind its user's back. Tokens stay valid.
    pub fn set_secret(&self, secret: ClientSecret) {
        self.panel.issuer().tenant.keys.set_first_secret(secret);
    }

    /// Revokes every token issued so far.
    pub fn revoke_all(&self) {
        self.panel.issuer().tenant.ledger.revoke_all();
    }

    /// Changes how it behaves, from the next request on.
    pub fn set(&self, setting: Setting) {
        let now = Moment::now();
        self.panel.issuer().tenant.set(setting, now);
    }

    /// How it behaves: every setting in force.
    pub fn settings(&self) -> Vec<Setting> {
        self.panel.issuer().tenant.conduct.list()
    }

    /// Chooses what becomes of a key's tokens from now on when it loses its secret.
    pub fn set_old_tokens(&self, old_tokens: OldTokens) {
        self.panel.issuer().tenant.set_old_tokens(old_tokens);
    }

    /// Stops the sandbox, and waits until its sockets are closed; dropping it closes them a moment later.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

fn url(address: SocketAddr, encrypted: bool) -> String {
    let scheme = if encrypted { "https" } else { "http" };
    format!("{scheme}://{address}")
}
