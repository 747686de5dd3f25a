//! Where credentials are kept between runs, and what each is bound to.

mod access;
mod binding;
mod error;
mod file;
mod files;
pub mod keyring;
mod kinds;
mod lock;
mod record;
mod removal;
pub mod source;

pub use access::{Look, Revision, StoreReader, StoreWriter};
pub use binding::{Binding, BindingPart};
pub use error::{StoreError, StoreErrorKind};
pub use file::FileStore;
pub use keyring::{KeyringFault, KeyringStore};
pub use kinds::Stores;
pub use lock::ProfileLock;
pub use record::{Key, Record};
pub use removal::{Removal, Removals};
