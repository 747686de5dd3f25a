//! The certificates and keys that a configuration names. Each is read once and judged by who can change it, so the
//! judged bytes are the bytes that are used.

mod ca_file;
mod client;
mod openssl;
mod pem;
mod untrusted;
mod x509;

pub use ca_file::{CaFile, CaFileError, CaFileErrorKind, MAX_CERTIFICATES};
pub use client::{ClientFileError, ClientFiles, PAUSES};
pub use x509::CertificateFacts;
