//! The content of a file in which credentials go to another machine: each with what it was enrolled for, and nothing else.
//!
//! What a machine does with its tokens stays there: rules, hosts, files, commands and paths. So a file with more is refused,
//! and its author can have nothing done but ask an issuer for a token.

mod content;
mod form;

pub use content::{Exported, ExportedProfile, InvalidContent, MAX_LEN};
pub use form::{parse, to_json};

#[cfg(test)]
mod tests;
