//! Executes the commands of a rotation's state machine one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::environment::Shared;
use super::exchange::InPlaceData;
use super::how::HowToRotate;
use super::open::Open;
use super::prepared::{Outcome, PreparedRotation};
use super::proven::ProvenToken;
use super::refused::RotationRefused;
use super::rotation_wait::{RotationWait, STORE};
use super::step_texts;
use super::storing::{self, MadeKey};
use crate::applications::Family;
use crate::causes::Causes;
use crate::instant::BootInstant;
use crate::profile::ProfileName;
use crate::rotation::{Command, End, Event, Overlap, Phase, State};
use crate::store::{DriverLock, RotationId, StoreErrorKind};

/// Time between two tries to resume an open rotation after a system error.
pub(super) const AGAIN: Duration = Duration::from_secs(60);

/// Time between two tries to resume an open rotation that another daemon drives: each waits some seconds for its lock.
pub(super) const ELSEWHERE: Duration = Duration::from_secs(300);

/// The task of one rotation.
pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) name: ProfileName,
    pub(super) open: Arc<Open>,
    /// The profile whose token manages the keys, if it is another profile.
    pub(super) with: Option<ProfileName>,
    /// The issuer's family of endpoints for the keys of users, once it is known.
    pub(super) family: Option<Family>,
    pub(super) made: Arc<MadeKey>,
    /// The client IDs of the keys that the issuer refused to delete, by their labels.
    pub(super) undeleted: BTreeMap<String, String>,
    /// The token of the new key, until the switch.
    pub(super) proven: Option<ProvenToken>,
    /// What a rotation in place keeps between its steps.
    pub(super) exchange: InPlaceData,
    /// Until when the key in force is not sent again to check it before the old key is deleted.
    pub(super) guarded_until: Option<BootInstant>,
    /// What the rotation is waiting for.
    pub(super) hindrance: RotationWait,
    pub(super) is_finish_told: bool,
    /// The rotation whose journal this task has written, or has tried to write.
    pub(super) noted: Option<RotationId>,
    is_switch_told: bool,
    /// Whether the record says that another machine uses the key.
    pub(super) is_record_shared: bool,
    /// Whether the state machine knows the lifetime of the tokens.
    pub(super) is_lifetime_known: bool,
}

// === impl Driver ===

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, name: ProfileName, open: Arc<Open>) -> Self {
        Self {
            shared,
            name,
            open,
            with: None,
            family: None,
            made: Arc::default(),
            undeleted: BTreeMap::new(),
            proven: None,
            exchange: InPlaceData::default(),
            guarded_until: None,
            hindrance: RotationWait::default(),
            is_lifetime_known: false,
            is_record_shared: false,
            noted: None,
            is_finish_told: false,
            is_switch_told: false,
        }
    }

    /// Drives the rotation to its end.
    pub(super) async fn run(mut self, how: Option<HowToRotate>) -> Outcome {
        self.open.tell(step_texts::beginning(how.is_some()), false);
        let (_lock, begun) = loop {
            match self.begin(how.as_ref()).await {
                Ok(begun) => break begun,
                // A resumed rotation has no caller that could retry, so the task does.
                Err(RotationRefused::System(why)) if how.is_none() => {
                    debug!(why, "the rotation that is open cannot go on now");
                    let clock = &self.shared.outside.clock;
                    clock.sleep_until(clock.now().boot.after(AGAIN)).await;
                }
                Err(refused) => {
                    self.refuse(&refused);
                    return match refused {
                        RotationRefused::System(_) => Outcome::NotBegun,
                        RotationRefused::AnotherDaemon => Outcome::DrivenElsewhere,
                        _ => Outcome::Over,
                    };
                }
            }
        };
        match begun {
            PreparedRotation::Machine(machine) => self.walk(*machine).await,
            PreparedRotation::InPlace(machine) => self.exchange(*machine).await,
            PreparedRotation::Nothing => self.refuse(&RotationRefused::NoProfile),
            PreparedRotation::Refused(refused) => self.refuse(&refused),
        }
        Outcome::Over
    }

    /// Drives a rotation with overlap to its end.
    async fn walk(mut self, mut machine: Overlap) {
        self.claim(&machine).await;
        loop {
            self.take_manager(&machine).await;
            self.tell(&machine);
            let command = machine.command();
            if let Command::End(end) = &command {
                return self.end(&machine, end);
            }
            if command == Command::RemoveNotes {
                self.delete_left(machine.left()).await;
                self.keep_left(machine.left()).await;
            }
            let event = self.perform(command).await;
            self.learn_lifetime(&mut machine);
            self.take_terms(&mut machine);
            debug!(
                state = machine.state().kind(),
                event = event.kind().0,
                "rotation steps"
            );
            machine.step(self.shared.outside.clock.now().boot, event);
        }
    }

    /// Locks the rotation for this process, and makes its state machine.
    async fn begin(
        &mut self,
        how: Option<&HowToRotate>,
    ) -> Result<(DriverLock, PreparedRotation), RotationRefused> {
        let (shared, name) = (self.shared(), self.name.clone());
        let driving = self.blocking(move || shared.outside.journals.drive(&name));
        let lock = driving.await.map_err(RotationRefused::System)?;
        let lock = lock.map_err(|error| match error.kind {
            StoreErrorKind::Busy => RotationRefused::AnotherDaemon,
            _ => RotationRefused::System(Causes(&error).to_string()),
        })?;
        match self.machine(how).await {
            PreparedRotation::Refused(refused) => Err(refused),
            begun => Ok((lock, begun)),
        }
    }

    pub(super) async fn perform(&mut self, command: Command) -> Event {
        if !matches!(command, Command::Pause(_)) {
            self.hindrance.clear();
        }
        let event = self.performed(command).await;
        self.hindrance.take(&event);
        event
    }

    async fn performed(&mut self, command: Command) -> Event {
        match command {
            Command::List => self.list().await,
            Command::Create(name) => self.create(&name).await,
            Command::Delete(key) => self.delete(key).await,
            Command::Prove(key) => self.prove(&key).await,
            Command::Store(change) => Event::Stored(self.store(change).await),
            Command::Settle => {
                self.settle().await;
                Event::Settled
            }
            Command::Read => match self.present_record().await {
                Ok(record) => {
                    self.is_record_shared = record.key.credential.is_shared();
                    storing::view(&record).map_or(Event::Unreadable, Event::Record)
                }
                Err(why) => {
                    self.hindrance.note(format!("{STORE}: {why}"));
                    Event::Unreadable
                }
            },
            Command::Note(notes) => match self.note(&notes).await {
                true => Event::Noted,
                false => Event::NotNoted,
            },
            Command::RemoveNotes => match self.remove_notes().await {
                true => Event::Noted,
                false => Event::NotNoted,
            },
            Command::Pause(pause) => self.pause(pause).await,
            // Does not occur: the loop ends at this command.
            Command::End(_) => Event::Woken,
        }
    }

    /// Runs this blocking call off the event loop.
    ///
    /// # Errors
    /// The reason why the call was not made, for people.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        self.shared.blocking(call).await
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    fn tell(&mut self, machine: &Overlap) {
        let notes = machine.notes();
        if !matches!(machine.state(), State::Checking(_)) {
            self.open.note(notes);
        }
        if notes.phase == Phase::Grace && !self.is_switch_told {
            self.is_switch_told = true;
            info!(key = notes.name, "the new key is in force");
            self.open.tell(step_texts::switched(notes), false);
        }
        let now = self.shared.outside.clock.now();
        if let Some(step) = step_texts::step(machine, now, &mut self.hindrance) {
            self.open.tell(step, false);
        }
    }

    fn refuse(&self, refused: &RotationRefused) {
        let stays = matches!(
            refused,
            RotationRefused::NeedsHuman { .. } | RotationRefused::OtherHost(_)
        );
        match stays {
            true => warn!(why = %refused, "the key is not rotated"),
            false => debug!(why = %refused, "the key is not rotated"),
        }
        self.open.tell(step_texts::refused(refused), stays);
    }

    fn end(&self, machine: &Overlap, end: &End) {
        let step = step_texts::ended(machine.notes(), end, self.hindrance.what());
        let needs_human = matches!(end, End::NeedsHuman);
        match needs_human {
            true => warn!(sentence = step.sentence, "the rotation needs a manual step"),
            false => info!(sentence = step.sentence, "rotation ends"),
        }
        self.open.tell(step, needs_human);
    }
}
