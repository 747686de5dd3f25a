//! age files (age-encryption.org/v1): encryption to a recipient or with a passphrase, and decryption.
//!
//! Only two of age's kinds are supported: X25519 keys and passphrases (scrypt). A plug-in or an SSH key would need a
//! person or a device at hand, so a daemon could not decrypt with it.

mod identity;
mod opening;
mod passphrase;
mod recipient;
mod work_factor;

pub use identity::{Identity, InvalidIdentity};
pub use opening::OpenError;
pub use passphrase::{InvalidPassphrase, MAX_PASSPHRASE_LEN, Passphrase};
pub use recipient::{InvalidRecipient, Recipient};
pub use work_factor::{InvalidWorkFactor, WorkFactor};
