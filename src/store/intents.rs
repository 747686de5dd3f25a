//! A record of each call that makes a key or its secret, written before the call: `STATE/key-intents/PROFILE.json`,
//! where PROFILE is the profile whose token makes the call.
//!
//! Only the answer contains the new secret. If the answer to a creation is lost, the server keeps a key that no store
//! can use. Jeton must not delete it on a guess, so the record has its name and the IDs of all earlier keys. If the
//! answer to a regeneration is lost, a stored secret may be revoked, so the record says whose. The record holds no
//! secret.

use std::path::{Path, PathBuf};

use super::files::PrivateFiles;
use super::{ProfileLock, StoreError};
use crate::profile::ProfileName;

mod call;
mod form;

pub use call::{KeyCall, KeyIntent, SecretDestination};

/// The largest file, in bytes: the IDs of 10,000 keys take half of it.
const MAX_LEN: usize = 1024 * 1024;

/// The unfinished calls in the state folder.
#[derive(Debug)]
pub struct KeyIntents(PrivateFiles);

// === impl KeyIntents ===

impl KeyIntents {
    /// Opens the calls below this state folder, with files that belong to `owner`; see [`super::FileStore::new`].
    pub fn new(state: &Path, owner: u32) -> Self {
        let files = PrivateFiles::new(state.join("key-intents"), owner).of_notes();
        Self(files.with_limit(MAX_LEN))
    }

    /// The file that records the calls with this profile's token.
    pub fn path(&self, profile: &ProfileName) -> PathBuf {
        self.0.path(profile)
    }

    /// The unfinished calls with this profile's token.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be read or trusted.
    pub fn begun(&self, profile: &ProfileName) -> Result<Vec<KeyIntent>, StoreError> {
        let Some(json) = self.0.read(profile)? else {
            return Ok(vec![]);
        };
        form::parse(&json, profile).map_err(|kind| StoreError::new(&self.0.path(profile), kind))
    }

    /// Records that a call begins, and replaces an earlier call for the same key. The record is on the disk when this
    /// returns.
    ///
    /// # Errors
    /// [`StoreError`]; the call must not begin then.
    pub fn begin(&self, lock: &ProfileLock, intent: KeyIntent) -> Result<(), StoreError> {
        let mut all = self.begun(lock.profile())?;
        all.retain(|other| !other.is_for_the_key_of(&intent));
        all.push(intent);
        self.write(lock, all)
    }

    /// Records that a call has ended, or that its result is no longer looked for.
    ///
    /// # Errors
    /// [`StoreError`] if that cannot be recorded; then a later command looks for the result once more.
    pub fn end(&self, lock: &ProfileLock, intent: &KeyIntent) -> Result<(), StoreError> {
        let mut all = self.begun(lock.profile())?;
        all.retain(|other| !other.is_for_the_key_of(intent));
        if all.is_empty() {
            self.0.remove(lock).map(drop)
        } else {
            self.write(lock, all)
        }
    }

    /// The profiles whose token an unfinished call uses.
    ///
    /// # Errors
    /// [`StoreError`] if the folder cannot be trusted or read.
    pub fn profiles(&self) -> Result<Vec<ProfileName>, StoreError> {
        let files = self.0.names()?.into_iter();
        Ok(files.filter_map(|(_, name)| name).collect())
    }

    fn write(&self, lock: &ProfileLock, all: Vec<KeyIntent>) -> Result<(), StoreError> {
        let refused = |action, kind: std::io::ErrorKind| {
            StoreError::io(&self.0.path(lock.profile()), action, kind.into())
        };
        let json = form::to_json(lock.profile(), all).map_err(|_| {
            let action = "record the path of a file that is not UTF-8";
            refused(action, std::io::ErrorKind::InvalidFilename)
        })?;
        if json.len() > MAX_LEN {
            let action = "record the IDs of so many keys";
            return Err(refused(action, std::io::ErrorKind::FileTooLarge));
        }
        self.0.write(lock, &json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::StoreKind;
    use crate::store::lock::Locks;

    fn creation(name: &str, keeper: SecretDestination) -> KeyIntent {
        KeyIntent {
            path: "/api/v1/access-keys".into(),
            at: 7,
            keeper,
            call: KeyCall::Creation {
                name: name.into(),
                known: vec!["1".into(), "2".into()],
                doomed: None,
            },
        }
    }

    fn regeneration(key_id: &str, rejected: Option<u64>) -> KeyIntent {
        let new = ProfileName::parse("new").unwrap();
        KeyIntent {
            path: "/api/v1/access-keys".into(),
            at: 7,
            keeper: SecretDestination::Profile(new, StoreKind::Keyring),
            call: KeyCall::Regeneration {
                name: "one".into(),
                key_id: key_id.into(),
                client_id: "c".into(),
                rejected,
            },
        }
    }

    #[test]
    fn call_intents_are_recorded_from_begin_to_end() {
        let dir = tempfile::tempdir().unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let intents = KeyIntents::new(dir.path(), uid);
        let name = ProfileName::parse("a.b").unwrap();
        let lock = Locks::new(dir.path(), uid).take(&name).unwrap();
        assert_eq!(intents.begun(&name).unwrap(), []);
        let new = ProfileName::parse("new").unwrap();
        let all = [
            creation("one", SecretDestination::Profile(new, StoreKind::File)),
            creation("two", SecretDestination::File("/x y/secret".into())),
            creation("three", SecretDestination::Nothing),
            regeneration("1", None),
            regeneration("2", Some(5)),
        ];
        for intent in &all {
            intents.begin(&lock, intent.clone()).unwrap();
        }
        assert_eq!(intents.begun(&name).unwrap(), all);
        assert_eq!(intents.profiles().unwrap(), std::slice::from_ref(&name));
        for n in 0..all.len() {
            assert_eq!(intents.begun(&name).unwrap(), all[n..]);
            intents.end(&lock, &all[n]).unwrap();
        }
        assert_eq!(intents.profiles().unwrap(), []);
    }

    #[test]
    fn a_call_intent_replaces_an_earlier_one_for_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let intents = KeyIntents::new(dir.path(), uid);
        let name = ProfileName::parse("a").unwrap();
        let lock = Locks::new(dir.path(), uid).take(&name).unwrap();
        intents
            .begin(&lock, creation("1", SecretDestination::Nothing))
            .unwrap();
        for rejected in [None, Some(1), Some(2)] {
            intents.begin(&lock, regeneration("1", rejected)).unwrap();
        }
        let kept = [
            creation("1", SecretDestination::Nothing),
            regeneration("1", Some(2)),
        ];
        assert_eq!(intents.begun(&name).unwrap(), kept);
    }

    #[test]
    fn an_intent_records_ten_thousand_key_ids_and_refuses_far_more() {
        let dir = tempfile::tempdir().unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let intents = KeyIntents::new(dir.path(), uid);
        let name = ProfileName::parse("a").unwrap();
        let lock = Locks::new(dir.path(), uid).take(&name).unwrap();
        let of = |count: u32| {
            let mut many = creation("one", SecretDestination::File("/s".into()));
            many.call = KeyCall::Creation {
                name: "one".into(),
                known: (0..count).map(|n| format!("{n:036}")).collect(),
                doomed: None,
            };
            many
        };
        intents.begin(&lock, of(100_000)).unwrap_err();
        assert_eq!(intents.begun(&name).unwrap(), []);
        intents.begin(&lock, of(10_000)).unwrap();
        assert_eq!(intents.begun(&name).unwrap(), [of(10_000)]);
    }
}
