//! Applies configurations, one at a time, and notifies the service manager.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info, warn};

use super::condition::Condition;
use super::keep::roster::Roster;
use super::options::Options;
use super::wiring::Wiring;
use crate::clock::from_now;
use crate::command_line;
use crate::offload::ConcurrencyLimit;
use crate::problem::{Code, Problem};
use crate::process::notify::Notify;
use crate::query::Reloaded;
use crate::settings::{self, ConfigError, ConfigFile, Content};
use crate::wire::reload::{ReloadQuery, Source};

mod apply_configuration;
mod changes;
mod identity;
mod machine_answer;
mod names;
mod repeat_schedule;
mod served;

pub use machine_answer::MachineAnswer;
pub use served::ServedMode;

use repeat_schedule::{NextEvent, RepeatSchedule};

/// Time limit for reading the configuration at a reload, from the moment of the request. A disk that hangs must not
/// keep the daemon from stopping, and the answer must arrive before `ExecReload=` gives up after 5 s.
const READING: Duration = Duration::from_secs(3);

/// Minimum of that time limit, for a request that had to wait for another reload.
const READING_AT_LEAST: Duration = Duration::from_secs(1);

/// The command that creates the first profile.
const ADD: &str = "jetond add NAME --provider runai --url https://…";

/// Log text for the consequence of an invalid configuration before the first valid one.
const NOTHING_SERVED: &str = "no token is served until it is corrected and read again";

/// Applies configurations.
pub struct Reloading {
    config: PathBuf,
    /// Whether the command line or the environment names the file.
    named: bool,
    /// The content that the current configuration was read from.
    content: Content,
    /// The state folder.
    state: PathBuf,
    uid: u32,
    /// Whether the daemon serves only one command, perhaps beside another daemon.
    is_of_command: bool,
    /// The mode of the served socket.
    served: ServedMode,
    wiring: Wiring,
    roster: Arc<Roster>,
    notify: Notify,
    condition: Condition,
    /// The last status that was sent to the service manager.
    told: String,
    /// The last faults that were logged. Empty while the configuration is valid.
    logged: Vec<String>,
    /// Whether the log says that a restart is needed.
    logged_restart: bool,
    /// Limits how many reads of the configuration may run or hang at once.
    lane: ConcurrencyLimit,
    /// Whether there is no valid configuration yet for a reason that lies in the machine. Then it is read again
    /// periodically.
    is_machines_fault: bool,
    again: RepeatSchedule<MachineAnswer>,
}

/// Reason why a configuration was not applied.
enum NotApplied {
    /// The configuration is invalid or cannot be read.
    Unusable(ConfigError),
    /// The request is meant for another daemon. Holds our source.
    OtherDaemon(Source),
}

impl Reloading {
    /// Creates a reloader for the configuration of these options. `served` is the mode of the served socket.
    pub fn new(
        options: &Options,
        served: ServedMode,
        wiring: Wiring,
        roster: Arc<Roster>,
        notify: Notify,
    ) -> Self {
        Self {
            config: options.config.clone(),
            named: options.config_named,
            content: Content::Missing { link: None },
            state: options.state.clone(),
            uid: options.uid,
            is_of_command: options.stop_at_eof,
            served,
            wiring,
            condition: Condition::new(Arc::clone(&roster)),
            roster,
            notify,
            told: String::new(),
            logged: vec![],
            logged_restart: false,
            lane: ConcurrencyLimit::default(),
            is_machines_fault: false,
            again: RepeatSchedule::default(),
        }
    }

    /// Applies the first configuration. If it is invalid, requests are refused with the reason until there is a valid
    /// one.
    pub async fn start(&mut self, found: Result<ConfigFile, ConfigError>) {
        match found {
            Ok(found) => {
                if found.config.is_empty() {
                    let add = command_line::proposed(ADD, None);
                    warn!(config = %self.config.display(), "no profiles yet; make one with: {add}");
                }
                self.apply_file(found).await;
            }
            Err(unusable) => {
                if !matches!(unusable, ConfigError::Gone { .. }) {
                    // The file exists, so it counts as a configuration with content.
                    self.content = Content::Text;
                }
                self.is_machines_fault = unusable.is_of_the_machine();
                let reason = self.tell(&unusable, NOTHING_SERVED);
                self.roster.refuse(reason);
            }
        }
        self.again.begin(self.is_anything_unknown());
        self.ready().await;
    }

    /// Reads the configuration again after a signal. Errors go to the log, because no caller waits for them.
    pub async fn reload_now(&mut self) {
        drop(
            self.reload(&ReloadQuery::default(), from_now(Duration::ZERO))
                .await,
        );
    }

    /// Reads the configuration again if the request is meant for this daemon. `asked` is the moment of the request. An
    /// invalid configuration changes nothing. A dry run does not read it and changes nothing either.
    ///
    /// # Errors
    /// - `misconfigured` with the reason.
    /// - `conflict` if the request is meant for another daemon.
    /// - `unavailable` if the system refuses a thread for the read.
    pub async fn reload(
        &mut self,
        query: &ReloadQuery,
        asked: Instant,
    ) -> Result<(Reloaded, Source), Problem> {
        let least = from_now(READING_AT_LEAST);
        let until = asked
            .checked_add(READING)
            .map_or(least, |until| until.max(least));
        if query.dry_run {
            let (config, state) = (self.config.clone(), self.state.clone());
            return identity::answer(&self.lane, config, state, query, until).await;
        }
        self.notify.reloading().await;
        let result = self.read(query.clone(), until).await;
        let is_anything_unknown = self.is_anything_unknown();
        match result {
            Ok(_) => self.again.begin(is_anything_unknown),
            Err(_) => self.again.continue_schedule(is_anything_unknown),
        }
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
            let source = identity::source(&path, &state);
            if !query.is_for(&source) {
                return Err(NotApplied::OtherDaemon(source));
            }
            let found = settings::read(&path, uid)
                .and_then(|found| found.may_replace_current(&path, named, &before));
            Ok((found.map_err(NotApplied::Unusable)?, source))
        });
        match tokio::time::timeout_at(until, read).await {
            Ok(Ok(Ok((found, source)))) => {
                let done = self.apply_file(found).await;
                info!(
                    added = done.added,
                    removed = done.removed,
                    changed = done.changed,
                    kept = done.kept,
                    "reloaded"
                );
                Ok((done, source))
            }
            Ok(Ok(Err(NotApplied::OtherDaemon(source)))) => {
                Err(identity::meant_for_another(&source))
            }
            Ok(Ok(Err(NotApplied::Unusable(unusable)))) => {
                if let Err(still) = self.roster.valid() {
                    self.is_machines_fault = unusable.is_of_the_machine();
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

    /// Logs every fault with its consequence `so`, and returns the reason in one line. If the faults are the same as
    /// last time, logs only one line, so that the log still shows each reload.
    fn tell(&mut self, unusable: &ConfigError, so: &str) -> Arc<str> {
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

    /// Waits for a change. Sends the status line to the service manager if it has changed. If the machine has answered
    /// a repeated question, returns the answer, which goes to [`Self::take`].
    pub async fn report(&mut self) -> Option<MachineAnswer> {
        tokio::select! { biased;
            next = self.again.next() => match next {
                NextEvent::Due => {
                    let asking = self.ask();
                    self.again.ask(asking);
                    None
                }
                NextEvent::Answer(asked) => Some(asked),
            },
            () = self.condition.changed() => {
                let line = self.condition.line();
                if line != self.told {
                    self.told = line;
                    self.notify.status(&self.told).await;
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
