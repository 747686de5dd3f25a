//! The second slot of a store: the data that an exchange of a secret in place needs until it ends.
//!
//! Such an exchange revokes the former secret at once. To recover, Jeton needs a token that it got before the exchange.
//! The answer to the exchange is the only copy of the new secret until the record has it. Both are secret, so they are
//! kept in the same store as the record, and nowhere else.

use super::{ProfileLock, StoreError};
use crate::profile::ProfileName;

mod form;

pub use form::RotationData;
pub(super) use form::{MAX_LEN, parse, to_json};

/// Keeps the data that a rotation in place needs beside the record. Only the holder of the profile's lock changes it.
/// The calls block: keep them off the event loop.
pub trait RotationDataStore: Send + Sync {
    /// The kept data of the profile; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read, trusted or understood.
    fn kept(&self, profile: &ProfileName) -> Result<Option<RotationData>, StoreError>;

    /// Keeps this data, and replaces any other of the profile. It is in the store when this returns.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::changed`] says whether the data may be stored despite the error.
    fn keep(&self, lock: &ProfileLock, kept: &RotationData) -> Result<(), StoreError>;

    /// Removes the kept data of the profile; returns whether there was any.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be removed.
    fn forget(&self, lock: &ProfileLock) -> Result<bool, StoreError>;
}

#[cfg(test)]
mod tests;
