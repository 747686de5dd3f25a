//! The second slot of a store: what an exchange of a secret in place needs until it has ended.
//!
//! Such an exchange revokes the former secret at once. A token that was taken before it is the way back in, and the answer
//! to it is the only copy of the new secret until the record has it. Both are secret, so they are kept where the record
//! is, and nowhere else.

use super::{ProfileLock, StoreError};
use crate::profile::ProfileName;

mod form;

pub use form::Kept;
pub(super) use form::{MAX_LEN, parse, to_json};

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

#[cfg(test)]
mod tests;
