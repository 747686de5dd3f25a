//! age files (age-encryption.org/v1): what is encrypted to a recipient or by a passphrase, and what opens it.
//!
//! Of age's kinds two are used: X25519 keys, and a passphrase (scrypt). Plug-ins and SSH keys are not: a daemon could open
//! nothing with them unless a person or a device is there.

mod identity;
mod opening;
mod passphrase;
mod recipient;
mod work_factor;

pub use identity::{Identity, InvalidIdentity};
pub use opening::Unopened;
pub use passphrase::{InvalidPassphrase, MAX_PASSPHRASE_LEN, Passphrase};
pub use recipient::{InvalidRecipient, Recipient};
pub use work_factor::{InvalidWorkFactor, WorkFactor};
