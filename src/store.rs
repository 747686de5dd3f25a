//! Where credentials are kept between runs, and what each is bound to.

use crate::profile::ProfileName;

mod binding;
mod error;
mod file;
pub mod keyring;
mod kinds;
mod record;
mod removal;
pub mod source;

pub use binding::{Binding, BindingPart};
pub use error::{StoreError, StoreErrorKind};
pub use file::FileStore;
pub use keyring::{KeyringFault, KeyringStore};
pub use kinds::Stores;
pub use record::{Key, Record};
pub use removal::{Removal, Removals};

/// A store of credentials, one record for a profile. Its calls block: keep them off the event loop.
pub trait CredentialStore: Send + Sync {
    /// What is kept for the profile; `None` when nothing is.
    ///
    /// # Errors
    /// [`StoreError`] when the store or the record cannot be read or trusted.
    fn load(&self, profile: &ProfileName) -> Result<Option<Record>, StoreError>;

    /// Keeps this record for the profile, in the place of an older one; all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::changed`] tells whether the new record is in place all the same.
    fn save(&self, profile: &ProfileName, record: &Record) -> Result<(), StoreError>;

    /// Forgets what is kept for the profile; whether there was anything.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be changed.
    fn remove(&self, profile: &ProfileName) -> Result<bool, StoreError>;
}
