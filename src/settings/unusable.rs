//! Why there is no valid configuration, told to a person.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::causes::Causes;
use crate::config::ConfigFault;
use crate::trust::Untrusted;

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

/// Why a configuration is taken for gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// The command line or the environment names the file, and it is not there.
    NoSuchFile,
    /// This link leads nowhere.
    Dangling(PathBuf),
    /// There was a file when the configuration in force was read.
    Removed,
    /// There was something in the file when the configuration in force was read.
    Emptied,
}

// === impl Unusable ===

impl Unusable {
    /// Whether the machine is at fault, and not the text: what the machine keeps from being read now may be there later, as
    /// on a disk that is not mounted yet.
    pub const fn is_of_the_machine(&self) -> bool {
        match self {
            Self::File(_) | Self::Gone { .. } => true,
            Self::Faults { .. } => false,
        }
    }

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
        f.write_str(&self.lines().join("; "))
    }
}

impl std::error::Error for Unusable {}

// === impl Gone ===

impl Gone {
    /// The fault and what to do about it, for a person.
    pub(super) fn sentence(&self, path: &Path) -> String {
        const BACK: &str = "put it back, or, to remove every profile, write a comment into it";
        let path = path.display();
        match self {
            Self::NoSuchFile => format!("{path}: there is no such file"),
            Self::Dangling(link) => format!(
                "{}: this symbolic link leads nowhere: mend it, or put the file where it leads",
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
