//! The configuration as a file: read for the daemon and for the commands, and written whole or not at all.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::causes::Causes;
use crate::config::{self, Config, ConfigFault};
use crate::trust::{self, Untrusted};

mod found;
mod identity;
mod lock;
pub mod names;
mod write;

pub use found::{Content, Found, Gone};
pub use identity::{real_path, source_id};
pub use lock::{ConfigLock, LockError, lock_config};
pub use write::{Readers, WriteError, write_config};

/// Why there is no valid configuration.
#[derive(Debug)]
pub enum Unusable {
    /// The file cannot be read, or not be trusted.
    File(Untrusted),
    /// There is no file, or nothing in it, where there has to be something.
    Gone {
        /// The file.
        path: PathBuf,
        /// Why it is taken for gone.
        why: Gone,
    },
    /// The file has faults.
    Faults {
        /// The file.
        path: PathBuf,
        /// All of them, by place.
        faults: Vec<ConfigFault>,
    },
}

/// Reads the configuration at `path`, whose users and groups the machine's name service knows. Whether it may be missing
/// is for the caller to say: see [`Found`]. The name service may have to ask another machine, so this can take long.
///
/// # Errors
/// [`Unusable`], whose lines say every fault.
pub fn read(path: &Path, uid: u32) -> Result<Found, Unusable> {
    match trust::open_config(path, uid) {
        Ok(bytes) => {
            let parsed = config::parse_bytes(&bytes, &names::System);
            let config = parsed.map_err(|faults| Unusable::Faults {
                path: path.to_owned(),
                faults,
            })?;
            Ok(Found {
                config,
                content: Content::of(&bytes),
                // What is not UTF-8 has a fault.
                text: String::from_utf8(bytes).unwrap_or_default(),
            })
        }
        Err(untrusted) if untrusted.is_missing() => Ok(Found {
            config: Config::default(),
            content: Content::missing(path),
            text: String::new(),
        }),
        Err(untrusted) => Err(Unusable::File(untrusted)),
    }
}

// === impl Unusable ===

impl Unusable {
    /// The first fault and how many more there are, as one line of a bounded length: for an answer or a status.
    pub fn summary(&self) -> String {
        const LONGEST: usize = 600;
        let lines = self.lines();
        let first = lines.first().map_or("", String::as_str);
        // A path can hold anything, and this goes to terminals and to the service manager.
        let mut line: String = first
            .chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .take(LONGEST)
            .collect();
        if first.chars().nth(LONGEST).is_some() {
            line.push('…');
        }
        match lines.len().saturating_sub(1) {
            0 => {}
            1 => line.push_str(" (and one more fault)"),
            more => line.push_str(&format!(" (and {more} more faults)")),
        }
        line
    }

    /// One line for each fault.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::File(untrusted) => vec![Causes(untrusted).to_string()],
            Self::Gone { path, why } => vec![why.sentence(path)],
            Self::Faults { path, faults } => faults
                .iter()
                .map(|fault| format!("{}:{fault}", path.display()))
                .collect(),
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

impl std::error::Error for Unusable {}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(path: &str, text: &str) -> Unusable {
        Unusable::Faults {
            path: path.into(),
            faults: config::parse(text, &crate::testing::FewNames).unwrap_err(),
        }
    }

    #[test]
    fn a_summary_is_one_line_that_shows_on_any_screen() {
        for (path, text, summary) in [
            (
                "/c",
                "a = 1",
                "/c:1:1: a: unknown key; known here are profiles, socket",
            ),
            (
                "/c",
                "profils = 1\nb = 1",
                "/c:1:1: profils: unknown key (did you mean profiles?) (and one more fault)",
            ),
            (
                "/c",
                "profils = 1\nb = 1\nc = 1",
                "/c:1:1: profils: unknown key (did you mean profiles?) (and 2 more faults)",
            ),
            (
                "/\u{1b}[31m\nREADY=1",
                "profils = 1",
                "/?[31m?READY=1:1:1: profils: unknown key (did you mean profiles?)",
            ),
        ] {
            assert_eq!(faults(path, text).summary(), summary);
        }
        let long = faults(&"p".repeat(5_000), "a = 1\nb = 1").summary();
        assert!(
            long.chars().count() < 700 && long.ends_with("p… (and one more fault)"),
            "{long}"
        );
    }
}
