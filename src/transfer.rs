//! Content of a file that carries credentials to another machine, each with what it was enrolled for.
//!
//! The way in which a machine uses its tokens stays on that machine: rules, hosts, files, commands and paths. A file
//! with such data is refused, so its author cannot make the other machine do anything but ask an issuer for a token.

mod content;
mod form;

pub use content::{Exported, ExportedProfile, InvalidContent, MAX_LEN};
pub use form::{parse, to_json};

#[cfg(test)]
mod tests;
