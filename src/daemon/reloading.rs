//! Puts configurations in force, one at a time, and notifies the service manager.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info, warn};

use super::condition::Condition;
use super::keep::roster::Roster;
use super::wiring::Wiring;
use crate::clock::from_now;
use crate::config::{Config, SocketMode};
use crate::offload::Lane;
use crate::problem::{Code, Problem};
use crate::process::notify::Notify;
use crate::query::Reloaded;
use crate::settings::{self, Content, Found, Unusable};
use crate::wire::reload::{ReloadQuery, Source};

/// How long reading the configuration may take at a reload, counted from when it was asked for: a disk that hangs must not
/// keep the daemon from stopping, and the reason has to arrive before `ExecReload=` gives up, which is after 5 s.
const READING: Duration = Duration::from_secs(3);

/// How long it may take at least, when another reload was in progress.
const READING_AT_LEAST: Duration = Duration::from_secs(1);

/// Consequence of an invalid configuration before the first valid one, for the log.
const NOTHING_SERVED: &str = "no token is served until it is mended and read again";

/// The reloader, which puts configurations in force.
pub struct Reloading {
    config: PathBuf,
    /// Whether the command line or the environment names this file.
    named: bool,
    /// What the configuration in force was read from.
    content: Content,
    /// The state folder.
    state: PathBuf,
    uid: u32,
    /// The mode of the served socket, which a reload does not change.
    mode: SocketMode,
    wiring: Wiring,
    roster: Arc<Roster>,
    notify: Notify,
    condition: Condition,
    /// The status that was sent to the service manager last.
    told: String,
    /// The faults that were logged last; empty while the configuration is valid.
    logged: Vec<String>,
    /// Whether the log already says that a restart is needed.
    logged_restart: bool,
    /// Where the configuration is read.
    lane: Lane,
}

/// Why a configuration was not put in force.
enum NotRead {
    /// It cannot be used.
    Unusable(Unusable),
    /// The request is meant for another daemon; this is our source.
    Meant(Source),
}

/// Returns the source, which identifies this daemon.
fn source(config: &Path, state: &Path) -> Source {
    let shown = |path: &Path| settings::real_path(path).display().to_string();
    Source {
        config: shown(config),
        state: shown(state),
        id: settings::source_id(config, state),
    }
}

impl Reloading {
    /// Reads the configuration at `config`, which must belong to `uid` or root, and must exist when it is `named`. Its
    /// credentials are below `state`, and the served socket has `mode`.
    #[expect(clippy::too_many_arguments, reason = "it is made at one place")]
    pub fn new(
        config: PathBuf,
        named: bool,
        state: PathBuf,
        uid: u32,
        mode: SocketMode,
        wiring: Wiring,
        roster: Arc<Roster>,
        notify: Notify,
    ) -> Self {
        Self {
            config,
            named,
            content: Content::Missing { link: None },
            state,
            uid,
            mode,
            wiring,
            condition: Condition::new(Arc::clone(&roster)),
            roster,
            notify,
            told: String::new(),
            logged: vec![],
            logged_restart: false,
            lane: Lane::default(),
        }
    }

    /// Puts the first configuration in force. If it is invalid, requests are refused with the reason until there is a
    /// valid one.
    pub async fn start(&mut self, found: Result<Found, Unusable>) {
        match found {
            Ok(Found {
                config, content, ..
            }) => {
                self.content = content;
                self.tell_doubts(&config);
                if config.is_empty() {
                    warn!(config = %self.config.display(), "no profiles yet; make one with: jetond add NAME --provider runai --url https://…");
                }
                self.apply(config).await;
            }
            Err(unusable) => {
                if !matches!(unusable, Unusable::Gone { .. }) {
                    // The file exists, so it counts as a configuration with content.
                    self.content = Content::Text;
                }
                let reason = self.tell(&unusable, NOTHING_SERVED);
                self.roster.refuse(reason);
            }
        }
        self.ready().await;
    }

    /// Reads the configuration again for a signal: an error is in the log, and no caller waits for it.
    pub async fn reload_now(&mut self) {
        drop(
            self.reload(&ReloadQuery::default(), from_now(Duration::ZERO))
                .await,
        );
    }

    /// Reads the configuration again, if the request, which came at `asked`, is meant for this daemon. An invalid one
    /// changes nothing.
    ///
    /// # Errors
    /// `misconfigured` with the reason, `conflict` when the request is meant for another daemon, or `unavailable` when
    /// the system refuses a thread to read it on.
    pub async fn reload(
        &mut self,
        query: &ReloadQuery,
        asked: Instant,
    ) -> Result<(Reloaded, Source), Problem> {
        let least = from_now(READING_AT_LEAST);
        let until = asked
            .checked_add(READING)
            .map_or(least, |until| until.max(least));
        self.notify.reloading().await;
        let result = self.read(query.clone(), until).await;
        self.ready().await;
        result
    }

    async fn read(
        &mut self,
        query: ReloadQuery,
        until: Instant,
    ) -> Result<(Reloaded, Source), Problem> {
        let state = self.state.clone();
        let (path, uid) = (self.config.clone(), self.uid);
        let (named, before) = (self.named, self.content.clone());
        let read = self.lane.run(move || {
            let source = source(&path, &state);
            if !query.is_for(&source) {
                return Err(NotRead::Meant(source));
            }
            let found = settings::read(&path, uid)
                .and_then(|found| found.to_go_on_with(&path, named, &before));
            Ok((found.map_err(NotRead::Unusable)?, source))
        });
        match tokio::time::timeout_at(until, read).await {
            Ok(Ok(Ok((found, source)))) => {
                let Found {
                    mut config,
                    content,
                    ..
                } = found;
                self.content = content;
                config.keep_numbers_of(self.wiring.config());
                self.tell_doubts(&config);
                let restart_needed = config.socket != self.mode;
                let done = Reloaded {
                    restart_needed,
                    ..self.apply(config).await
                };
                if restart_needed && !self.logged_restart {
                    warn!(
                        "restart needed: another [socket] mode or group is not taken up by a reload"
                    );
                }
                self.logged_restart = restart_needed;
                info!(
                    added = done.added,
                    removed = done.removed,
                    changed = done.changed,
                    kept = done.kept,
                    "reloaded"
                );
                Ok((done, source))
            }
            Ok(Ok(Err(NotRead::Meant(source)))) => {
                let has = format!("{}, with the state {}", source.config, source.state);
                Err(Problem::new(Code::Conflict)
                    .with_detail("this daemon has another configuration or state than is meant")
                    .because(has.into()))
            }
            Ok(Ok(Err(NotRead::Unusable(unusable)))) => {
                if let Err(still) = self.roster.valid() {
                    let reason = self.tell(&unusable, NOTHING_SERVED);
                    self.roster.refuse(Arc::clone(&reason));
                    return Err(still.because(reason));
                }
                let reason = self.tell(&unusable, "the old one stays in force");
                let detail = "the configuration is invalid, and the old one stays in force";
                Err(Problem::new(Code::Misconfigured)
                    .with_detail(detail)
                    .because(reason))
            }
            Ok(Err(refused)) => {
                error!(%refused, "the configuration could not be read; the old one stays in force");
                Err(Problem::new(Code::Unavailable).with_detail(
                    "the system refuses another thread, so the configuration was not read and the old one stays in force; try again",
                ))
            }
            Err(_) => {
                error!("the configuration could not be read in time; the old one stays in force");
                Err(Problem::new(Code::Misconfigured)
                    .with_detail("the configuration could not be read within 3 s, as on a disk that hangs, so the old one stays in force"))
            }
        }
    }

    async fn apply(&mut self, config: Config) -> Reloaded {
        self.logged.clear();
        let done = self.wiring.apply(config).await;
        if self.notify.listens() {
            self.condition.renew();
        }
        done
    }

    /// Logs the names whose numbers are in doubt, which are off while all others are in force.
    fn tell_doubts(&self, config: &Config) {
        for doubtful in &config.doubts {
            let fault = format!("{}:{doubtful}", self.config.display());
            warn!(fault, "{}", doubtful.consequence());
        }
    }

    /// Logs every fault and its consequence `so`, and returns the reason in one line. The same faults as last time are
    /// logged as one line, so that the log still shows each reload.
    fn tell(&mut self, unusable: &Unusable, so: &str) -> Arc<str> {
        let faults = unusable.lines();
        if faults == self.logged {
            error!(
                faults = faults.len(),
                "the configuration is still invalid for the same reasons; {so}"
            );
        } else {
            for fault in &faults {
                error!(fault, "the configuration is invalid; {so}");
            }
            self.logged = faults;
        }
        let reason: Arc<str> = unusable.summary().into();
        self.condition.refused(Arc::clone(&reason));
        reason
    }

    async fn ready(&mut self) {
        self.told = self.condition.line();
        self.notify.ready(&self.told).await;
    }

    /// Waits until something has changed, and sends the service manager the status line if it is another one.
    pub async fn report(&mut self) {
        self.condition.changed().await;
        let line = self.condition.line();
        if line != self.told {
            self.told = line;
            self.notify.status(&self.told).await;
        }
    }
}
