//! The credential of a read-only source, for the daemon. It is bound at first use, and read at every load. Only a
//! command does not run again for an attempt: it may prompt a person, or use up a server's quota.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::{info, warn};
use url::Url;

use super::source::{CredentialSource, Loaded, LoadedCredential, Loading, ca_file};
use super::{
    BoundTarget, ChangeSource, Differences, RecordedBinding, Required, SourceReader, StoreError,
    Stores,
};
use crate::causes::Causes;
use crate::certificates::CaFile;
use crate::clock::{Clock as _, SystemClock};
use crate::command_line;
use crate::config::Profile;
use crate::credential::CaVerdict;
use crate::fault::{Block, Fault, FaultKind};
use crate::lifecycle::credentials::NotLoaded;
use crate::offload::{ConcurrencyLimit, NotStarted};
use crate::profile::ProfileName;

/// The pending discovery of a token endpoint.
pub type Locating<'a> = Pin<Box<dyn Future<Output = Result<Url, Fault>> + Send + 'a>>;

/// Finds the token endpoint of a profile whose configuration names only the issuer.
pub trait Locate: Send + Sync {
    /// Asks the issuer, with the profile's own proxy and these certificates. Sends no secret.
    fn locate(&self, ca_file: Option<Arc<CaFile>>) -> Locating<'_>;
}

/// The credential of one profile with a read-only source.
#[derive(Clone)]
pub struct SourcedCredential(Arc<SourceParts>);

/// The parts of a [`SourcedCredential`].
pub struct SourceParts {
    /// The profile.
    pub name: ProfileName,
    /// Its configuration.
    pub profile: Profile,
    /// The user whose daemon this is: only this user and root may change its CA file.
    pub owner: u32,
    /// The source.
    pub reader: SourceReader,
    /// Where the binding is recorded.
    pub stores: Stores,
    /// Finds the token endpoint.
    pub locate: Box<dyn Locate>,
    /// The lane on which the source is read.
    pub lane: ConcurrencyLimit,
    /// The binding of the first use, if it cannot be recorded. It binds the credential until this process ends, or the
    /// configuration changes.
    pub unrecorded: Mutex<Option<RecordedBinding>>,
    /// The result of the command's runs: the last credential that it gave, or the error if it has never given one.
    pub last_run: Mutex<Option<Loaded>>,
}

/// The advice for running a command again.
const RUN_AGAIN: &str = "it is run again by 'jeton reload'";

/// What is known about the binding before the source is read.
enum KnownBinding {
    /// The recorded binding, which the configuration matches.
    Bound(Box<(RecordedBinding, Required)>),
    /// The credential was not used yet; its binding will be this one.
    First(Required),
    /// The credential was not used yet, and its issuer has to name the token endpoint. Holds the CA file, as it was
    /// read.
    EndpointUnknown(Option<Arc<CaFile>>),
}

// === impl SourcedCredential ===

impl SourcedCredential {
    /// Creates the credential from these parts. Reads nothing yet.
    pub fn new(parts: SourceParts) -> Self {
        Self(Arc::new(parts))
    }

    /// Reads the source. With `may_repeat`, the result of a command's last run is used instead of another run.
    async fn read(&self, may_repeat: bool) -> Loaded {
        let parts = &self.0;
        let judging = Arc::clone(parts);
        let judged = parts.lane.run_in_turn(move || judging.judge()).await;
        let known = match judged.map_err(|refused| not_read(&refused))?? {
            KnownBinding::EndpointUnknown(ca_file) => {
                let located = parts.locate.locate(ca_file.clone()).await;
                let endpoint = located.map_err(NotLoaded::Failed)?;
                let bound = BoundTarget::of(&parts.profile, endpoint);
                KnownBinding::First(Required::of(&parts.profile, &bound, ca_file))
            }
            known => known,
        };
        let reading = Arc::clone(parts);
        let read = parts.lane.run_in_turn(move || {
            let last = reading.last_run_for(&known).filter(|_| may_repeat);
            last.unwrap_or_else(|| reading.take(known))
        });
        let read = read.await;
        read.map_err(|refused| not_read(&refused))?
    }
}

impl CredentialSource for SourcedCredential {
    /// Runs on threads of its own.
    fn load(&self) -> Loading<'_> {
        Box::pin(self.read(false))
    }

    fn load_for_attempt(&self) -> Loading<'_> {
        Box::pin(self.read(true))
    }

    fn change_sources(&self) -> Vec<ChangeSource> {
        let files = self.0.reader.source().files();
        files
            .map(|file| ChangeSource::File(file.to_owned()))
            .collect()
    }

    fn is_in_two_places(&self) -> bool {
        self.change_sources().len() > 1
    }

    fn is_read_only(&self) -> bool {
        true
    }
}

// === impl Parts ===

impl SourceParts {
    /// Compares the recorded binding with the configuration. Reads no secret.
    fn judge(&self) -> Result<KnownBinding, NotLoaded> {
        let ca_file = ca_file(&self.profile, self.owner);
        let ca_file = ca_file.map_err(|error| unusable(&error, error.is_passing()))?;
        let recorded = self.recorded()?;
        let Some(recorded) = recorded else {
            return Ok(match self.profile.endpoint() {
                Some(endpoint) => {
                    let bound = BoundTarget::of(&self.profile, endpoint);
                    KnownBinding::First(Required::of(&self.profile, &bound, ca_file))
                }
                None => KnownBinding::EndpointUnknown(ca_file),
            });
        };
        let required = Required::of(&self.profile, &recorded.binding.bound, ca_file);
        self.compare(&recorded, &required)?;
        Ok(KnownBinding::Bound(Box::new((recorded, required))))
    }

    /// The recorded binding, from the state folder, else from this process.
    fn recorded(&self) -> Result<Option<RecordedBinding>, NotLoaded> {
        let recorded = self.stores.bindings().recorded(&self.name);
        match recorded.map_err(|error| failed(&error))? {
            None => Ok(self.unrecorded().clone()),
            recorded => Ok(recorded),
        }
    }

    fn unrecorded(&self) -> MutexGuard<'_, Option<RecordedBinding>> {
        self.unrecorded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn compare(&self, recorded: &RecordedBinding, required: &Required) -> Result<(), NotLoaded> {
        let differences = recorded.binding.differences(required);
        if !differences.is_empty() {
            let detail = format!(
                "nothing is sent with the credential: {}; {}",
                Differences(&differences),
                command_line::proposed(
                    "if that is right, run 'jetond add NAME --rebind'",
                    Some(&self.name)
                )
            );
            return Err(NotLoaded::Blocked(Block::BindingChanged { detail }));
        }
        if let (CaVerdict::ChangedByRoot, Some(file)) =
            (recorded.binding.certificates(required), &required.ca_file)
        {
            info!(profile = %self.name, ca_file = %file.path.display(), "the CA file holds other certificates than at the first use; only root can have changed them, so they are trusted from now on");
        }
        Ok(())
    }

    /// Reads the source, and records the binding before the credential is used.
    fn take(&self, known: KnownBinding) -> Loaded {
        let credential = self.reader.credential();
        let credential = credential.map_err(|error| self.not_given(&error))?;
        let (recorded, required) = match known {
            KnownBinding::Bound(known) => *known,
            KnownBinding::First(required) => (self.record(&required)?, required),
            // `SourcedCredential::read` has replaced this case already.
            KnownBinding::EndpointUnknown(_) => {
                let what = "the issuer was not asked for its token endpoint".to_owned();
                return Err(NotLoaded::Failed(Fault::new(FaultKind::Connect, what)));
            }
        };
        let credential = credential
            .bound_to(recorded.binding.bound.as_str())
            .enrolled_at(recorded.at)
            .trusting(required.binding.ca);
        let loaded = LoadedCredential::new(credential);
        if self.reader.source().is_command() {
            *self.last_run() = Some(Ok(loaded.clone()));
        }
        Ok(loaded)
    }

    fn last_run(&self) -> MutexGuard<'_, Option<Loaded>> {
        self.last_run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The result of the command's last run, if it fits the current binding.
    fn last_run_for(&self, known: &KnownBinding) -> Option<Loaded> {
        let last = self.last_run().clone()?;
        let is_for_it = match (&last, known) {
            (Ok(loaded), KnownBinding::Bound(known)) => {
                loaded.credential.ca() == Some(&known.1.binding.ca)
            }
            (Ok(_), KnownBinding::First(_) | KnownBinding::EndpointUnknown(_)) => false,
            (Err(_), _) => true,
        };
        is_for_it.then_some(last)
    }

    /// Converts the source's error. A command that ran and failed does not run again for the next attempt. If it gave a
    /// credential earlier, attempts use that one, and the issuer decides.
    fn not_given(&self, error: &StoreError) -> NotLoaded {
        if !error.kind.is_after_a_run() || !self.reader.source().is_command() {
            return failed(error);
        }
        let again = command_line::proposed(RUN_AGAIN, None);
        let detail = format!("{}; {again}", Causes(error));
        let why = NotLoaded::Blocked(Block::Unusable { detail });
        let mut last = self.last_run();
        if !matches!(*last, Some(Ok(_))) {
            *last = Some(Err(why.clone()));
        }
        why
    }

    /// Records the binding, unless another program was faster: then that program's binding counts.
    fn record(&self, required: &Required) -> Result<RecordedBinding, NotLoaded> {
        let now = RecordedBinding::new(required.binding.clone(), SystemClock.now().unix);
        let written = || -> Result<RecordedBinding, StoreError> {
            let lock = self.stores.lock(&self.name)?;
            let bindings = self.stores.bindings();
            if let Some(recorded) = bindings.recorded(&self.name)? {
                return Ok(recorded);
            }
            bindings.record(&lock, &now)?;
            Ok(now.clone())
        };
        match written() {
            Ok(recorded) => {
                self.compare(&recorded, required)?;
                if recorded == now {
                    info!(profile = %self.name, endpoint = %now.binding.bound, "the credential is used for the first time: where it may be sent is recorded");
                }
                Ok(recorded)
            }
            Err(error) if error.kind.is_of_another_writer() => {
                let what = Causes(&error).to_string();
                Err(NotLoaded::Failed(Fault::new(FaultKind::Connect, what)))
            }
            Err(error) => {
                warn!(profile = %self.name, error = %Causes(&error), "where the credential may be sent cannot be recorded: the configuration alone decides that");
                *self.unrecorded() = Some(now.clone());
                Ok(now)
            }
        }
    }
}

fn unusable(error: &(dyn Error + 'static), is_passing: bool) -> NotLoaded {
    let detail = Causes(error).to_string();
    match is_passing {
        true => NotLoaded::Failed(Fault::new(FaultKind::Connect, detail)),
        false => NotLoaded::Blocked(Block::Unusable { detail }),
    }
}

fn failed(error: &StoreError) -> NotLoaded {
    unusable(error, error.kind.is_passing())
}

fn not_read(refused: &NotStarted) -> NotLoaded {
    let what = format!("the credential could not be read: {refused}");
    NotLoaded::Failed(Fault::new(FaultKind::Connect, what))
}

#[cfg(test)]
mod tests;
