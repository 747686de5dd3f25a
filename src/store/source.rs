//! The source of a profile's credential: the store, as long as the configuration matches the credential's binding.

use std::error::Error;
use std::hash::RandomState;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use tracing::info;

use crate::causes::Causes;
use crate::certificates::{CaFile, CaFileError};
use crate::command_line;
use crate::config::Profile;
use crate::credential::{CaVerdict, Credential, CredentialId};
use crate::fault::{Block, Fault, FaultKind};
use crate::lifecycle::credentials::NotLoaded;
use crate::offload::ConcurrencyLimit;
use crate::profile::ProfileName;
use crate::store::{
    BoundTarget, ChangeSource, Differences, Key, Required, StoreErrorKind, StoreReader,
};

/// A credential, or why it was not loaded.
pub type Loaded = Result<LoadedCredential, NotLoaded>;

/// A credential with its id.
#[derive(Debug, Clone)]
pub struct LoadedCredential {
    /// Distinguishes it from the other credentials of this process.
    pub id: CredentialId,
    /// The credential.
    pub credential: Arc<Credential>,
    /// The other key of the record, while its key is being rotated.
    pub other: Option<Box<Self>>,
}

/// A credential that is being loaded.
pub type Loading<'a> = Pin<Box<dyn Future<Output = Loaded> + Send + 'a>>;

/// The source of a profile's credential: the store, checked against the configuration.
pub trait CredentialSource: Send + Sync {
    /// Loads the credential, but not on the event loop: a disk or a keyring may hang.
    ///
    /// # Errors
    /// Why no credential can be used, for the program and for people.
    fn load(&self) -> Loading<'_>;

    /// Loads the credential for an attempt. An attempt is no reason to run a command again, so this gives the result of
    /// the command's last run.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    fn load_for_attempt(&self) -> Loading<'_> {
        self.load()
    }

    /// The places that show a change of the credential; empty if no place shows one. Never blocks.
    fn change_sources(&self) -> Vec<ChangeSource> {
        vec![]
    }

    /// Whether the client ID and the secret are kept in two places, so that one may change before the other.
    fn is_in_two_places(&self) -> bool {
        false
    }

    /// Whether Jeton only reads it, so that no command of Jeton stores another credential there.
    fn is_read_only(&self) -> bool {
        false
    }
}

// === impl LoadedCredential ===

impl LoadedCredential {
    /// Gives a credential an ID, a hash under a key of this process.
    pub fn new(credential: Credential) -> Self {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self {
            id: credential.id(&KEY),
            credential: Arc::new(credential),
            other: None,
        }
    }

    /// Adds the other key of the same record.
    #[must_use]
    pub fn beside(self, other: Option<Credential>) -> Self {
        Self {
            other: other.map(|other| Box::new(Self::new(other))),
            ..self
        }
    }
}

/// Takes the name of a profile whose record was read during a rotation of its key.
pub type Rotating = Arc<dyn Fn(&ProfileName) + Send + Sync>;

/// The store's record of one profile.
#[derive(Clone)]
pub struct StoreSource {
    /// The profile.
    pub name: ProfileName,
    /// Its configuration.
    pub profile: Profile,
    /// The user whose daemon this is: only this user and root may change its CA file.
    pub owner: u32,
    /// The store.
    pub store: Arc<dyn StoreReader>,
    /// The lane on which the store is read.
    pub lane: ConcurrencyLimit,
    /// The callback for a rotation that has not ended.
    pub rotating: Option<Rotating>,
}

// === impl StoreSource ===

impl CredentialSource for StoreSource {
    /// Runs on a thread of its own.
    fn load(&self) -> Loading<'_> {
        let source = self.clone();
        Box::pin(async move {
            let read = self.lane.run_in_turn(move || source.read()).await;
            read.unwrap_or_else(|refused| {
                let what = format!("the credential could not be read: {refused}");
                Err(NotLoaded::Failed(Fault::new(FaultKind::Connect, what)))
            })
        })
    }

    fn change_sources(&self) -> Vec<ChangeSource> {
        self.store.change_sources(&self.name)
    }

    fn is_in_two_places(&self) -> bool {
        self.store.is_in_two_places()
    }
}

impl StoreSource {
    fn read(&self) -> Loaded {
        let unusable = |error: &(dyn Error + 'static)| {
            let detail = Causes(error).to_string();
            NotLoaded::Blocked(Block::Unusable { detail })
        };
        let record = self.store.load(&self.name).map_err(|error| {
            if matches!(error.kind, StoreErrorKind::Locked) {
                NotLoaded::Blocked(Block::Locked)
            } else if error.kind.is_passing() {
                let what = Causes(&error).to_string();
                NotLoaded::Failed(Fault::new(FaultKind::Connect, what))
            } else {
                unusable(&error)
            }
        })?;
        let Some(record) = record else {
            return Err(NotLoaded::Blocked(Block::NotEnrolled(self.name.clone())));
        };
        if let (Some(_), Some(tell)) = (&record.rotation, &self.rotating) {
            tell(&self.name);
        }
        // If the configuration leaves the origin to an issuer, the provider asks the issuer and refuses to send the
        // secret elsewhere.
        let now = binding_of(&self.profile, &record.binding.bound, self.owner);
        let now = now.map_err(|error| {
            if error.is_passing() {
                let what = error.to_string();
                NotLoaded::Failed(Fault::new(FaultKind::Connect, what))
            } else {
                unusable(&error)
            }
        })?;
        let differences = record.binding.differences(&now);
        if !differences.is_empty() {
            let detail = format!(
                "nothing is sent with the stored credential: {}; {}",
                Differences(&differences),
                command_line::proposed(
                    "if that is right, run 'jetond add NAME --rebind'",
                    Some(&self.name)
                )
            );
            return Err(NotLoaded::Blocked(Block::BindingChanged { detail }));
        }
        if let (CaVerdict::ChangedByRoot, Some(file)) =
            (record.binding.certificates(&now), &now.ca_file)
        {
            info!(profile = %self.name, ca_file = %file.path.display(), "the CA file holds other certificates than at enrolment; only root can have changed them, so they are trusted from now on");
        }
        // The provider's client uses exactly the certificates that were compared here, even if the file changes
        // afterwards.
        let usable = |key: Key| {
            let credential = key.credential.enrolled_at(key.created_at);
            let credential = credential.dated(key.server_date);
            credential.trusting(now.binding.ca.clone())
        };
        let other = record.rotation.and_then(|rotation| rotation.other);
        let other = other.map(|other| usable(other.into_key()));
        Ok(LoadedCredential::new(usable(record.key)).beside(other))
    }
}

/// Builds the binding that this profile's configuration requires, with its CA file as it is now. `discovered` is the
/// destination of the secret if the configuration does not name it: the one that `configured::destination` found, or
/// the record's.
///
/// # Errors
/// [`CaFileError`] if the CA file cannot be used, or a user other than root and `owner` can change it.
pub fn binding_of(
    profile: &Profile,
    discovered: &BoundTarget,
    owner: u32,
) -> Result<Required, CaFileError> {
    Ok(Required::of(profile, discovered, ca_file(profile, owner)?))
}

/// Reads the CA file of this profile, if it has one. Blocks.
///
/// # Errors
/// [`CaFileError`] if it cannot be used, or a user other than root and `owner` can change it.
pub fn ca_file(profile: &Profile, owner: u32) -> Result<Option<Arc<CaFile>>, CaFileError> {
    let path = profile.ca_file.as_deref();
    let read = path.map(|path| CaFile::read(path, owner)).transpose()?;
    Ok(read.map(Arc::new))
}
