//! The store in the OS keyring: one entry for each profile, whose secret is the same record as in a file.
//!
//! A keyring may wait for a person, or for ever. So it is asked in one place that has a limit ([`turn`]), and first
//! whether it would wait (each system's own file); no call ever makes it ask the person.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyring::Entry;
use zeroize::Zeroizing;

use self::turn::{Late, Turn};
use super::{CredentialStore, Record, StoreError, StoreErrorKind, record};
use crate::profile::ProfileName;

mod fault;
#[cfg(target_os = "macos")]
mod keychain;
#[cfg(not(target_os = "macos"))]
mod secret_service;
mod turn;

#[cfg(target_os = "macos")]
use self::keychain as system;
#[cfg(not(target_os = "macos"))]
use self::secret_service as system;

pub use self::fault::KeyringFault;

/// The service name of every entry; its user name is the profile's.
const SERVICE: &str = "jeton";

/// How long a keyring may take. One that works takes some milliseconds, and a second when it has to be started first;
/// who takes longer waits for a person.
const LIMIT: Duration = Duration::from_secs(3);

/// Finds the entry of a profile, and before that out whether the keyring can be used without asking a person.
type Open = dyn Fn(&str) -> Result<Entry, KeyringFault> + Send + Sync;

/// A store in the keyring of the user's session. It holds no connection between two calls: a keyring that was restarted
/// is as good as before, and a daemon that is idle has nothing of it in memory.
pub struct KeyringStore {
    open: Arc<Open>,
    turn: Turn,
}

impl KeyringStore {
    /// What the system calls its keyring.
    pub const NAME: &str = system::NAME;

    /// The system's keyring. Nothing is touched before the first call.
    pub fn new() -> Self {
        Self::with(Arc::new(|profile| system::open(profile, LIMIT)), LIMIT)
    }

    fn with(open: Arc<Open>, limit: Duration) -> Self {
        let turn = Turn::new(limit);
        Self { open, turn }
    }

    /// Finds out whether the profile's credential can be kept here, now.
    ///
    /// # Errors
    /// Why not.
    pub fn probe(&self, profile: &ProfileName) -> Result<(), KeyringFault> {
        self.ask(profile, |_| Ok(())).map_err(|(fault, _)| fault)
    }

    /// Asks the keyring within the limit. With a fault comes whether `work` had begun: then what it does may have been
    /// done, or be done later.
    fn ask<T: Send + 'static>(
        &self,
        profile: &ProfileName,
        work: impl FnOnce(Entry) -> keyring::Result<T> + Send + 'static,
    ) -> Result<T, (KeyringFault, bool)> {
        let begun = Arc::new(AtomicBool::new(false));
        let job = {
            let (open, begun, user) = (
                Arc::clone(&self.open),
                Arc::clone(&begun),
                profile.to_string(),
            );
            move || {
                let entry = open(&user)?;
                begun.store(true, Ordering::SeqCst);
                work(entry).map_err(|error| KeyringFault::of(&error))
            }
        };
        let answer = match self.turn.run(job) {
            Ok(answer) => answer,
            Err(Late::Limit) => Err(KeyringFault::Timeout),
            Err(Late::NoThread) => Err(KeyringFault::Failed("no thread can be started".into())),
        };
        answer.map_err(|fault| (fault, begun.load(Ordering::SeqCst)))
    }
}

impl Default for KeyringStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for KeyringStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyringStore").finish_non_exhaustive()
    }
}

impl CredentialStore for KeyringStore {
    fn load(&self, profile: &ProfileName) -> Result<Option<Record>, StoreError> {
        let read = self.ask(profile, |entry| match entry.get_secret() {
            Ok(json) => Ok(Some(Zeroizing::new(json))),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        });
        match read {
            Ok(None) => Ok(None),
            Ok(Some(json)) => {
                let record = record::from_json(&json);
                record.map(Some).map_err(|kind| error(profile, kind, false))
            }
            Err((fault, _)) => Err(error(profile, StoreErrorKind::Keyring(fault), false)),
        }
    }

    fn save(&self, profile: &ProfileName, record: &Record) -> Result<(), StoreError> {
        let Some(json) = record::to_json(record) else {
            let kind = StoreErrorKind::Io {
                action: "keep a record of this size",
                source: std::io::ErrorKind::FileTooLarge.into(),
            };
            return Err(error(profile, kind, false));
        };
        self.ask(profile, move |entry| entry.set_secret(&json))
            .map_err(|(fault, begun)| error(profile, StoreErrorKind::Keyring(fault), begun))
    }

    fn remove(&self, profile: &ProfileName) -> Result<bool, StoreError> {
        let removed = self.ask(profile, |entry| match entry.delete_credential() {
            Ok(()) => Ok(true),
            Err(keyring::Error::NoEntry) => Ok(false),
            Err(error) => Err(error),
        });
        removed.map_err(|(fault, begun)| error(profile, StoreErrorKind::Keyring(fault), begun))
    }
}

fn error(profile: &ProfileName, kind: StoreErrorKind, changed: bool) -> StoreError {
    StoreError {
        place: format!("the OS keyring's entry for {profile}"),
        kind,
        changed,
    }
}

#[cfg(test)]
mod tests;
