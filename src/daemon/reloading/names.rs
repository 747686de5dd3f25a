//! Repeats what the machine could not answer: looks up names of the current configuration, and reads a configuration
//! that could not be read at the start.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::machine_answer::MachineAnswer;
use super::{NOTHING_SERVED, READING, Reloading};
use crate::config::{Config, ResolvedName};
use crate::query::SocketModeChange;
use crate::settings;
use crate::settings::name_service::{Answers, look_up};

/// Time limit of a look-up for which no caller waits. A directory on another machine may answer slowly.
const PATIENCE: Duration = Duration::from_secs(30);

impl Reloading {
    /// Logs the names without a certain number. The rules and settings that use them are off; the rest of the
    /// configuration applies.
    pub(super) fn tell_doubts(&self, config: &Config) {
        for doubtful in &config.doubts {
            let fault = format!("{}:{doubtful}", self.config.display());
            warn!(fault, "{}", doubtful.consequence());
        }
        let all = config.named().filter(|named| named.doubt().is_some());
        let more = all.count().saturating_sub(config.doubts.len());
        if more > 0 {
            warn!(more, "further user or group names have no known ID");
        }
    }

    /// Whether there is a question to repeat.
    pub(super) fn is_anything_unknown(&self) -> bool {
        self.is_machines_fault
            || self.served.is_open() && self.roster.valid().is_ok()
            || !self.wiring.config().knows_all_names()
    }

    /// Repeats the question once.
    pub(super) fn ask(&self) -> Pin<Box<dyn Future<Output = MachineAnswer> + Send>> {
        let lane = self.lane.clone();
        if self.is_machines_fault {
            let (path, uid, named) = (self.config.clone(), self.uid, self.named);
            let before = self.content.clone();
            let read = move || {
                settings::read(&path, uid)
                    .and_then(|found| found.may_replace_current(&path, named, &before))
            };
            return Box::pin(async move {
                match tokio::time::timeout(READING, lane.run(read)).await {
                    Ok(Ok(read)) => MachineAnswer::Config(Box::new(read)),
                    Ok(Err(_)) | Err(_) => MachineAnswer::Nothing,
                }
            });
        }
        let names = self.wiring.config().names();
        Box::pin(async move {
            let answers = lane.run(move || look_up(names, PATIENCE)).await;
            answers.map_or(MachineAnswer::Nothing, MachineAnswer::Names)
        })
    }

    /// Applies the machine's answer, if there is one. Returns whether the set of profiles has changed.
    pub async fn take(&mut self, asked: Option<MachineAnswer>) -> bool {
        let Some(asked) = asked else { return false };
        let is_read = match asked {
            MachineAnswer::Names(answers) => {
                self.take_names(&answers).await;
                false
            }
            MachineAnswer::Config(read) => match *read {
                Ok(found) => {
                    self.apply_file(found).await;
                    info!("the configuration can be read now, and is in force");
                    self.told = self.condition.line();
                    self.notify.status(&self.told).await;
                    true
                }
                Err(unusable) => {
                    self.is_machines_fault = unusable.is_of_the_machine();
                    if unusable.lines() != self.logged {
                        let reason = self.tell(&unusable, NOTHING_SERVED);
                        self.roster.refuse(Arc::clone(&reason));
                    }
                    false
                }
            },
            MachineAnswer::Nothing => false,
        };
        let is_anything_unknown = self.is_anything_unknown();
        self.again.continue_schedule(is_anything_unknown);
        is_read
    }

    async fn take_names(&mut self, answers: &Answers) {
        let before: Vec<ResolvedName> = self.wiring.config().named().cloned().collect();
        self.wiring.look_up(answers);
        let mut said = vec![];
        for (was, is) in before.iter().zip(self.wiring.config().named()) {
            if was.id() == is.id() || said.contains(&is.name()) {
                continue;
            }
            said.push(is.name());
            match is.id() {
                Some(number) => info!(name = %is.name(), number, "the machine knows this name now"),
                None => {
                    warn!(name = %is.name(), "this machine no longer knows this user or group; its rules are inactive");
                }
            }
        }
        debug!(changed = said.len(), "looked the names up again");
        let config = self.wiring.config().clone();
        // Ignore the result: a mode that needs a restart has been reported at the reload.
        let _: SocketModeChange = self.served.follow(&config).await;
    }
}
