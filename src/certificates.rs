//! The certificates and keys that a configuration names: each is read once, and judged by who can change it. What was
//! judged is what is used.

mod ca_file;
mod client;
mod openssl;
mod pem;
mod untrusted;
mod x509;

pub use ca_file::{CaFile, CaFileError, CaFileErrorKind, MAX_CERTIFICATES};
pub use client::{ClientFileError, ClientFiles, PAUSES};
pub use x509::Facts;
