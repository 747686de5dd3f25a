//! Where a profile's credential comes from: the store, and only while the configuration names what it was enrolled for.

use std::error::Error;
use std::fmt;
use std::hash::RandomState;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use crate::causes::Causes;
use crate::config::Profile;
use crate::credential::{Credential, CredentialId};
use crate::fault::{Block, Fault, FaultKind};
use crate::lifecycle::credentials::NotLoaded;
use crate::offload::Lane;
use crate::profile::ProfileName;
use crate::store::{Binding, Key, StoreReader};

/// The largest CA file that is read, in bytes: the bundle of a whole system has a quarter of it.
const MAX_CA_LEN: u64 = 1 << 20;

/// A credential, or why none was loaded.
pub type Loaded = Result<LoadedCredential, NotLoaded>;

/// A credential with its id.
#[derive(Debug, Clone)]
pub struct LoadedCredential {
    /// Tells it from the other credentials of this process.
    pub id: CredentialId,
    /// The credential.
    pub credential: Arc<Credential>,
}

/// Why a profile's CA file cannot be read.
#[derive(Debug)]
pub enum CaFileError {
    /// A folder, a pipe or another thing that is no file.
    NotAFile(PathBuf),
    /// The system refuses it.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A credential that is being read.
pub type Loading<'a> = Pin<Box<dyn Future<Output = Loaded> + Send + 'a>>;

/// Where a profile's credential comes from: the store, checked against the configuration.
pub trait CredentialSource: Send + Sync {
    /// Reads the credential, and never on the event loop: a disk or a keyring may hang.
    ///
    /// # Errors
    /// Why none can be used, for the program and for people.
    fn load(&self) -> Loading<'_>;
}

// === impl LoadedCredential ===

impl LoadedCredential {
    /// A credential that was loaded, with its id under the key of this process.
    pub fn new(credential: Credential) -> Self {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self {
            id: credential.id(&KEY),
            credential: Arc::new(credential),
        }
    }
}

/// The store's record of one profile.
#[derive(Clone)]
pub struct StoreSource {
    /// The profile.
    pub name: ProfileName,
    /// Its configuration.
    pub profile: Profile,
    /// The store.
    pub store: Arc<dyn StoreReader>,
    /// Where it is asked.
    pub lane: Lane,
}

// === impl CaFileError ===

impl fmt::Display for CaFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAFile(path) => write!(f, "the CA file {} is not a file", path.display()),
            Self::Unreadable { path, .. } => {
                write!(f, "the CA file {} cannot be read", path.display())
            }
        }
    }
}

impl Error for CaFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotAFile(_) => None,
            Self::Unreadable { source, .. } => Some(source),
        }
    }
}

impl CredentialSource for StoreSource {
    /// On a thread of its own.
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
}

impl StoreSource {
    fn read(&self) -> Loaded {
        let unusable = |error: &(dyn Error + 'static)| {
            let detail = Causes(error).to_string();
            NotLoaded::Blocked(Block::Unusable { detail })
        };
        let record = self.store.load(&self.name).map_err(|error| {
            if error.kind.is_passing() {
                let what = Causes(&error).to_string();
                NotLoaded::Failed(Fault::new(FaultKind::Connect, what))
            } else {
                unusable(&error)
            }
        })?;
        let Some(record) = record else {
            return Err(NotLoaded::Blocked(Block::NotEnrolled(self.name.clone())));
        };
        // Where an issuer says the origin, the provider asks it, and refuses to send elsewhere.
        let now = binding_of(&self.profile, &record.binding.origin);
        let now = now.map_err(|error| unusable(&error))?;
        if let Some(part) = record.binding.differences(&now).first() {
            let detail = format!(
                "the credential was enrolled for {}, and {part} is another now: nothing is sent until 'jetond add {} --rebind'",
                record.binding.origin, self.name
            );
            return Err(NotLoaded::Blocked(Block::BindingChanged { detail }));
        }
        let Key {
            credential,
            created_at,
            ..
        } = record.key;
        let credential = credential.enrolled_at(created_at);
        Ok(LoadedCredential::new(credential))
    }
}

/// What a credential of this profile is bound to, as the configuration and the CA file are now. `discovered` is the
/// origin of the token endpoint where the configuration does not say it: as `configured::destination` found it, or as it was
/// enrolled.
///
/// # Errors
/// [`CaFileError`] when the CA file cannot be read.
pub fn binding_of(profile: &Profile, discovered: &str) -> Result<Binding, CaFileError> {
    let ca = profile.ca_file.as_deref().map(read_ca).transpose()?;
    Ok(Binding::of(profile, discovered, ca.as_deref()))
}

fn read_ca(path: &Path) -> Result<Vec<u8>, CaFileError> {
    let unreadable = |source| CaFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    // Before it is opened: opening a pipe would wait for a writer.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(CaFileError::NotAFile(path.to_owned()));
    }
    let mut bytes = vec![];
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_CA_LEN).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_that_is_none_is_refused_and_never_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [pipe.as_path(), dir.path()] {
            assert!(matches!(read_ca(path), Err(CaFileError::NotAFile(_))));
        }
        let none = read_ca(&dir.path().join("none")).unwrap_err();
        let told = Causes(&none).to_string();
        assert!(told.contains("none cannot be read: No such file"), "{told}");
    }
}
