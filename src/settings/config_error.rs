//! The reason why there is no valid configuration, with a message for a person.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::causes::Causes;
use crate::config::ConfigFault;
use crate::trust::UntrustedPath;

/// The reason why there is no valid configuration.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read or is not trusted.
    File(UntrustedPath),
    /// There is no file, or it is empty, where a configuration is required.
    Gone {
        /// The file.
        path: PathBuf,
        /// The reason why it counts as gone.
        why: MissingReason,
    },
    /// The file has faults.
    Faults {
        /// The file.
        path: PathBuf,
        /// All of them, by place.
        faults: Vec<ConfigFault>,
    },
}

/// The reason why a configuration counts as gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingReason {
    /// The command line or the environment names the file, but it does not exist.
    NoSuchFile,
    /// This link is dangling.
    Dangling(PathBuf),
    /// The file existed when the configuration in force was read.
    Removed,
    /// The file had a content when the configuration in force was read.
    Emptied,
}

// === impl Unusable ===

impl ConfigError {
    /// Reports whether the machine is at fault, and not the text. Such a problem may pass, as with a disk that is not
    /// mounted yet.
    pub const fn is_of_the_machine(&self) -> bool {
        match self {
            Self::File(_) | Self::Gone { .. } => true,
            Self::Faults { .. } => false,
        }
    }

    /// Returns the first fault and the number of others, as one line of limited length, for a reply or a status.
    pub fn summary(&self) -> String {
        const LONGEST: usize = 600;
        let lines = self.lines();
        let first = lines.first().map_or("", String::as_str);
        // A path can contain anything, and this line is sent to terminals and to the service manager.
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

    /// Returns one line for each fault.
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

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("; "))
    }
}

impl std::error::Error for ConfigError {}

// === impl Gone ===

impl MissingReason {
    /// Describes the fault and its remedy, for a person.
    pub(super) fn sentence(&self, path: &Path) -> String {
        const BACK: &str = "put it back, or, to remove every profile, write a comment into it";
        let path = path.display();
        match self {
            Self::NoSuchFile => format!("{path}: there is no such file"),
            Self::Dangling(link) => format!(
                "{}: this symbolic link leads nowhere: correct it, or put the file where it leads",
                link.display()
            ),
            Self::Removed => format!("{path}: the file is gone: {BACK}"),
            Self::Emptied => format!("{path}: the file is empty: {BACK}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn faults(path: &str, text: &str) -> ConfigError {
        ConfigError::Faults {
            path: path.into(),
            faults: config::parse(text, &crate::testing::FewNames).unwrap_err(),
        }
    }

    #[test]
    fn a_configuration_error_summary_is_one_printable_line() {
        for (path, text, summary) in [
            (
                "/c",
                "a = 1",
                "/c:1:1: a: unknown key; known here are profiles, socket, encrypted-file",
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
