//! A record of each call that makes a key or its secret, written beforehand: `STATE/key-intents/PROFILE.json`, by the
//! profile whose token makes the call.
//!
//! Only the answer has the new secret. Where it is lost, a key is left at the server that no store can use. It must not be
//! deleted on a guess: the record has its name, and the IDs of the keys that were there before. There is no secret in it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::PrivateFiles;
use super::{ProfileLock, StoreError, StoreErrorKind};
use crate::config::StoreKind;
use crate::profile::ProfileName;

/// The file version that this program writes and reads.
const VERSION: u64 = 1;

/// A creation that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyIntent {
    /// The name of the new key.
    pub name: String,
    /// The path of the endpoint that makes it.
    pub path: String,
    /// The IDs of the keys that were there before.
    pub known: Vec<String>,
    /// When it was begun, in Unix seconds.
    pub at: u64,
    /// What is to keep the secret.
    pub keeper: Keeper,
}

/// What keeps a new secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keeper {
    /// The store of this kind, for this profile.
    Profile(ProfileName, StoreKind),
    /// This file.
    File(PathBuf),
}

/// The creations in the state folder that have begun and not ended.
#[derive(Debug)]
pub struct KeyIntents(PrivateFiles);

#[derive(Serialize, Deserialize)]
struct Form {
    version: u64,
    profile: String,
    creations: Vec<Creation>,
}

#[derive(Serialize, Deserialize)]
struct Creation {
    name: String,
    path: String,
    known: Vec<String>,
    at: u64,
    enrol: Option<String>,
    store: Option<String>,
    secret_file: Option<PathBuf>,
}

// === impl KeyIntents ===

impl KeyIntents {
    /// The creations below this state folder, with files that belong to `owner`; see [`super::FileStore::new`].
    pub fn new(state: &Path, owner: u32) -> Self {
        Self(PrivateFiles::new(state.join("key-intents"), owner))
    }

    /// The creations with this profile's token that have begun.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read or trusted.
    pub fn begun(&self, profile: &ProfileName) -> Result<Vec<KeyIntent>, StoreError> {
        let Some(json) = self.0.read(profile)? else {
            return Ok(vec![]);
        };
        parse(&json, profile).map_err(|kind| StoreError::new(&self.0.path(profile), kind))
    }

    /// Records that a creation begins. It is on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`]; the creation must not begin then.
    pub fn begin(&self, lock: &ProfileLock, intent: KeyIntent) -> Result<(), StoreError> {
        let mut all = self.begun(lock.profile())?;
        all.retain(|other| other.name != intent.name || other.path != intent.path);
        all.push(intent);
        self.write(lock, all)
    }

    /// Records that a creation has ended, or will not be looked for any more.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be recorded; then it is looked for once more.
    pub fn end(&self, lock: &ProfileLock, intent: &KeyIntent) -> Result<(), StoreError> {
        let mut all = self.begun(lock.profile())?;
        all.retain(|other| other != intent);
        if all.is_empty() {
            self.0.remove(lock).map(drop)
        } else {
            self.write(lock, all)
        }
    }

    /// The profiles with whose token a creation has begun.
    ///
    /// # Errors
    /// [`StoreError`] if the folder cannot be trusted or read.
    pub fn profiles(&self) -> Result<Vec<ProfileName>, StoreError> {
        let files = self.0.names()?.into_iter();
        Ok(files.filter_map(|(_, name)| name).collect())
    }

    fn write(&self, lock: &ProfileLock, all: Vec<KeyIntent>) -> Result<(), StoreError> {
        let form = Form {
            version: VERSION,
            profile: lock.profile().to_string(),
            creations: all.into_iter().map(Creation::of).collect(),
        };
        let refused = |action, kind: std::io::ErrorKind| {
            StoreError::io(&self.0.path(lock.profile()), action, kind.into())
        };
        let json = serde_json::to_vec_pretty(&form).map_err(|_| {
            let action = "write down the path of a file that is not UTF-8";
            refused(action, std::io::ErrorKind::InvalidFilename)
        })?;
        if json.len() > super::record::MAX_LEN {
            let action = "write down the IDs of so many keys";
            return Err(refused(action, std::io::ErrorKind::FileTooLarge));
        }
        self.0.write(lock, &json)
    }
}

impl Creation {
    fn of(intent: KeyIntent) -> Self {
        let KeyIntent {
            name,
            path,
            known,
            at,
            keeper,
        } = intent;
        let (enrol, store, secret_file) = match keeper {
            Keeper::Profile(profile, store) => (
                Some(profile.to_string()),
                Some(store.as_str().to_owned()),
                None,
            ),
            Keeper::File(path) => (None, None, Some(path)),
        };
        Self {
            name,
            path,
            known,
            at,
            enrol,
            store,
            secret_file,
        }
    }

    fn intent(self) -> Option<KeyIntent> {
        let keeper = match (self.enrol, self.store, self.secret_file) {
            (Some(profile), Some(store), None) => Keeper::Profile(
                ProfileName::parse(&profile).ok()?,
                StoreKind::parse(&store)?,
            ),
            (None, None, Some(path)) => Keeper::File(path),
            _ => return None,
        };
        Some(KeyIntent {
            name: self.name,
            path: self.path,
            known: self.known,
            at: self.at,
            keeper,
        })
    }
}

fn parse(json: &[u8], profile: &ProfileName) -> Result<Vec<KeyIntent>, StoreErrorKind> {
    let malformed = || StoreErrorKind::Malformed {
        line: 0,
        column: 0,
        what: "it does not say which keys were to be made",
    };
    let form: Form = serde_json::from_slice(json).map_err(|_| malformed())?;
    if form.version != VERSION {
        return Err(StoreErrorKind::Version(form.version));
    }
    if form.profile != profile.as_str() {
        return Err(malformed());
    }
    let all = form.creations.into_iter().map(Creation::intent);
    all.collect::<Option<_>>().ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::lock::Locks;

    fn intent(name: &str, keeper: Keeper) -> KeyIntent {
        KeyIntent {
            name: name.into(),
            path: "/api/v1/access-keys".into(),
            known: vec!["1".into(), "2".into()],
            at: 7,
            keeper,
        }
    }

    #[test]
    fn creations_are_known_from_their_beginning_to_their_end() {
        let dir = tempfile::tempdir().unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let intents = KeyIntents::new(dir.path(), uid);
        let name = ProfileName::parse("a.b").unwrap();
        let lock = Locks::new(dir.path(), uid).take(&name).unwrap();
        assert_eq!(intents.begun(&name).unwrap(), []);
        let new = ProfileName::parse("new").unwrap();
        let one = intent("one", Keeper::Profile(new, StoreKind::File));
        let two = intent("two", Keeper::File("/x y/secret".into()));
        intents.begin(&lock, one.clone()).unwrap();
        intents.begin(&lock, two.clone()).unwrap();
        assert_eq!(intents.begun(&name).unwrap(), [one.clone(), two.clone()]);
        assert_eq!(intents.profiles().unwrap(), std::slice::from_ref(&name));
        intents.end(&lock, &one).unwrap();
        assert_eq!(intents.begun(&name).unwrap(), std::slice::from_ref(&two));
        intents.end(&lock, &two).unwrap();
        assert_eq!(intents.begun(&name).unwrap(), []);
        assert_eq!(intents.profiles().unwrap(), []);
    }

    #[test]
    fn more_ids_than_can_be_written_down_begin_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let intents = KeyIntents::new(dir.path(), uid);
        let name = ProfileName::parse("a").unwrap();
        let lock = Locks::new(dir.path(), uid).take(&name).unwrap();
        let mut many = intent("one", Keeper::File("/s".into()));
        many.known = (0..10_000).map(|n| format!("{n:036}")).collect();
        intents.begin(&lock, many).unwrap_err();
        assert_eq!(intents.begun(&name).unwrap(), []);
    }
}
