//! The recipient to which records are encrypted, and the identity that opens them while the store is unlocked.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use super::super::StoreErrorKind;
use crate::age_file::{Identity, Recipient};

/// The recipient and, while the store is unlocked, the identity. All users of the store in a process share them; every
/// process starts with a locked store.
#[derive(Default)]
pub struct StoreKeys(Mutex<Keys>);

#[derive(Default)]
struct Keys {
    recipient: Option<Recipient>,
    /// It always belongs to the recipient.
    identity: Option<Identity>,
}

/// Why an identity does not unlock a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// The configuration has no recipient.
    NoRecipient,
    /// The configuration's recipient belongs to another identity.
    AnotherRecipient,
}

// === impl StoreKeys ===

impl StoreKeys {
    /// Encrypts to this recipient from now on. Drops an identity that does not belong to it.
    pub fn encrypt_to(&self, recipient: Option<Recipient>) {
        let mut keys = self.keys();
        if keys.recipient != recipient {
            *keys = Keys {
                recipient,
                identity: None,
            };
        }
    }

    /// The recipient to which records are encrypted.
    pub fn recipient(&self) -> Option<Recipient> {
        self.keys().recipient.clone()
    }

    /// Opens records with this identity from now on.
    ///
    /// # Errors
    /// [`Mismatch`] if the identity does not belong to the recipient; then it is dropped.
    pub fn unlock(&self, identity: Identity) -> Result<(), Mismatch> {
        let mut keys = self.keys();
        match &keys.recipient {
            None => Err(Mismatch::NoRecipient),
            Some(recipient) if *recipient != identity.recipient() => {
                Err(Mismatch::AnotherRecipient)
            }
            Some(_) => {
                keys.identity = Some(identity);
                Ok(())
            }
        }
    }

    /// Drops the identity. No record is being opened with it when this returns.
    pub fn lock(&self) {
        self.keys().identity = None;
    }

    /// Whether records can be opened.
    pub fn is_unlocked(&self) -> bool {
        self.keys().identity.is_some()
    }

    /// Encrypts these bytes to the recipient, as an age file.
    pub(super) fn seal(&self, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreErrorKind> {
        let recipient = self.recipient().ok_or(StoreErrorKind::NoRecipient)?;
        recipient.seal(bytes).ok_or_else(|| StoreErrorKind::Io {
            action: "encrypt it",
            source: std::io::ErrorKind::Other.into(),
        })
    }

    /// Opens an age file. Holds the lock meanwhile, for about a millisecond, so that [`Self::lock`] returns only after
    /// the identity is no longer used.
    pub(super) fn open(
        &self,
        file: &[u8],
        limit: usize,
    ) -> Result<Zeroizing<Vec<u8>>, StoreErrorKind> {
        let keys = self.keys();
        let identity = keys.identity.as_ref().ok_or(StoreErrorKind::Locked)?;
        identity.open(file, limit).map_err(StoreErrorKind::Unopened)
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for StoreKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKeys(…)")
    }
}

// === impl Mismatch ===

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRecipient => {
                "the configuration has no [encrypted-file] recipient, so there is nothing to unlock"
            }
            Self::AnotherRecipient => {
                "this identity is not that of the configuration's [encrypted-file] recipient, so it opens no record"
            }
        })
    }
}

impl std::error::Error for Mismatch {}
