//! The certificates and keys that a configuration names, each read once: what was judged is what is used.

mod ca_file;

pub use ca_file::{CaFile, CaFileError, MAX_CERTIFICATES};
