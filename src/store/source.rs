//! Where a profile's credential comes from: the store, and only while the configuration names what it was enrolled for.

use std::io::Read;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use crate::causes::Causes;
use crate::config::Profile;
use crate::credential::Credential;
use crate::fault::{Fault, FaultKind};
use crate::lifecycle::Block;
use crate::offload::Lane;
use crate::profile::ProfileName;
use crate::store::{Binding, CredentialStore, Key};

/// The largest CA file that is read, in bytes: the bundle of a whole system has a quarter of it.
const MAX_CA_LEN: u64 = 1 << 20;

/// A credential, or why none was loaded.
pub type Loaded = Result<Arc<Credential>, NotLoaded>;

/// Why no credential was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotLoaded {
    /// None can be used until something on this machine is put right: for the program and for people.
    Blocked(Block, String),
    /// The store could not be asked this time. The attempt failed, and the next one may succeed.
    Failed(Fault),
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

impl NotLoaded {
    /// The error for a task that is gone.
    pub fn lost(what: &str) -> Self {
        Self::Blocked(Block::Misconfigured, what.to_owned())
    }

    /// The reason for people.
    pub fn detail(&self) -> &str {
        match self {
            Self::Blocked(_, detail) => detail,
            Self::Failed(fault) => &fault.detail,
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
    pub store: Arc<dyn CredentialStore>,
    /// Where it is asked.
    pub lane: Lane,
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
        let misconfigured = |why: String| NotLoaded::Blocked(Block::Misconfigured, why);
        let record = self.store.load(&self.name).map_err(|error| {
            let what = Causes(&error).to_string();
            if error.kind.is_passing() {
                NotLoaded::Failed(Fault::new(FaultKind::Connect, what))
            } else {
                misconfigured(what)
            }
        })?;
        let Some(record) = record else {
            return Err(NotLoaded::Blocked(
                Block::NotEnrolled,
                format!(
                    "no credential is stored for {0}; run 'jetond add {0} --rebind'",
                    self.name
                ),
            ));
        };
        // Where an issuer says the origin, the provider asks it, and refuses to send elsewhere.
        let now = binding_of(&self.profile, &record.binding.origin).map_err(misconfigured)?;
        if let Some(part) = record.binding.differences(&now).first() {
            return Err(NotLoaded::Blocked(
                Block::BindingChanged,
                format!(
                    "the credential was enrolled for {}, and {part} is another now: nothing is sent until 'jetond add {} --rebind'",
                    record.binding.origin, self.name
                ),
            ));
        }
        let Key {
            credential,
            created_at,
            ..
        } = record.key;
        Ok(Arc::new(credential.enrolled_at(created_at)))
    }
}

/// What a credential of this profile is bound to, as the configuration and the CA file are now. `discovered` is the
/// origin of the token endpoint where the configuration does not say it: as `issuer::destination` found it, or as it was
/// enrolled.
///
/// # Errors
/// A sentence for people, when the CA file cannot be read.
pub fn binding_of(profile: &Profile, discovered: &str) -> Result<Binding, String> {
    let ca = profile.ca_file.as_deref().map(read_ca).transpose()?;
    Ok(Binding::of(profile, discovered, ca.as_deref()))
}

fn read_ca(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let unreadable = |e: std::io::Error| format!("the CA file {shown} cannot be read: {e}");
    // Before it is opened: opening a pipe would wait for a writer.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(format!("the CA file {shown} is not a file"));
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
            assert!(read_ca(path).unwrap_err().contains("is not a file"));
        }
        assert!(
            read_ca(&dir.path().join("none"))
                .unwrap_err()
                .contains("cannot be read")
        );
    }
}
