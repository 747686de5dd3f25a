//! The source of a profile's credential: the store, as long as the configuration matches what the credential was
//! enrolled for.

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

/// The largest accepted CA file, in bytes: a whole system's bundle has a quarter of this size.
const MAX_CA_LEN: u64 = 1 << 20;

/// A credential, or why it was not loaded.
pub type Loaded = Result<LoadedCredential, NotLoaded>;

/// A credential with its id.
#[derive(Debug, Clone)]
pub struct LoadedCredential {
    /// Distinguishes it from the other credentials of this process.
    pub id: CredentialId,
    /// The credential.
    pub credential: Arc<Credential>,
}

/// Why a profile's CA file cannot be read.
#[derive(Debug)]
pub enum CaFileError {
    /// It is a folder, a pipe or something else that is not a regular file.
    NotAFile(PathBuf),
    /// The system refuses access.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
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
}

// === impl LoadedCredential ===

impl LoadedCredential {
    /// A loaded credential, with its id under the key of this process.
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
    /// The lane on which the store is read.
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
        // If an issuer determines the origin, the provider asks the issuer, and refuses to send the secret elsewhere.
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

/// The binding of a credential for this profile, from the configuration and the CA file as they are now. `discovered`
/// is the origin of the token endpoint if the configuration does not name it: the one that `configured::destination`
/// found, or the enrolled one.
///
/// # Errors
/// [`CaFileError`] if the CA file cannot be read.
pub fn binding_of(profile: &Profile, discovered: &str) -> Result<Binding, CaFileError> {
    let ca = profile.ca_file.as_deref().map(read_ca).transpose()?;
    Ok(Binding::of(profile, discovered, ca.as_deref()))
}

fn read_ca(path: &Path) -> Result<Vec<u8>, CaFileError> {
    let unreadable = |source| CaFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    // Checked before opening: opening a pipe would wait for a writer.
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
