//! The second slot of a store: what an exchange of a secret in place needs until it has ended.
//!
//! Such an exchange revokes the former secret at once. A token that was taken before it is the way back in, and the answer
//! to it is the only copy of the new secret until the record has it. Both are secret, so they are kept where the record
//! is, and nowhere else.

use super::access::Slots;
use super::{ProfileLock, RotationId, StoreError, StoreErrorKind};
use crate::credential::RawAnswer;
use crate::profile::ProfileName;
use crate::token::AccessToken;

mod form;

/// The largest slot, in bytes: a token of the greatest length with every character escaped takes half of it, and the
/// longest answer that is kept, in hexadecimal digits, a quarter.
pub(super) const MAX_LEN: usize = 256 * 1024;

/// What is kept of one rotation.
#[derive(Debug)]
pub struct Kept {
    /// The rotation's ID.
    pub rotation: RotationId,
    /// A token that manages the keys, taken before the exchange.
    pub token: AccessToken,
    /// The answer to the exchange, once there is one.
    pub answer: Option<RawAnswer>,
}

/// Keeps what a rotation in place needs, beside the record. The lock's holder changes it. Its calls block: keep them off
/// the event loop.
pub trait KeptStore: Send + Sync {
    /// What is kept for the profile; `None` if nothing is.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read, trusted or understood.
    fn kept(&self, profile: &ProfileName) -> Result<Option<Kept>, StoreError>;

    /// Keeps this in the place of anything that is kept for the profile. It is in the store when this returns.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::changed`] says whether it may be in place despite the error.
    fn keep(&self, lock: &ProfileLock, kept: &Kept) -> Result<(), StoreError>;

    /// Removes what is kept for the profile; returns whether there was anything.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be removed.
    fn forget(&self, lock: &ProfileLock) -> Result<bool, StoreError>;
}

impl<S: Slots> KeptStore for S {
    fn kept(&self, profile: &ProfileName) -> Result<Option<Kept>, StoreError> {
        let slot = self.slot();
        let Some(bytes) = slot.read(profile)? else {
            return Ok(None);
        };
        slot.open(profile, bytes)
            .and_then(|json| form::parse(&json))
            .map(Some)
            .map_err(|kind| slot.error(profile, kind))
    }

    fn keep(&self, lock: &ProfileLock, kept: &Kept) -> Result<(), StoreError> {
        let (slot, profile) = (self.slot(), lock.profile());
        let json = form::to_json(kept).ok_or_else(|| StoreErrorKind::Io {
            action: "keep a token and an answer of this size",
            source: std::io::ErrorKind::FileTooLarge.into(),
        });
        let sealed = json.and_then(|json| slot.seal(profile, json));
        let sealed = sealed.map_err(|kind| slot.error(profile, kind))?;
        slot.write(lock, &sealed)
    }

    fn forget(&self, lock: &ProfileLock) -> Result<bool, StoreError> {
        self.slot().delete(lock)
    }
}

#[cfg(test)]
mod tests;
