//! The configuration file as found, and whether it may take effect.
//!
//! A file that is gone, or that an editor has just truncated, is not an instruction to drop every profile. So a
//! configuration that came from a file is replaced only by a file that is not empty.

use std::io::ErrorKind::NotFound;
use std::path::{Path, PathBuf};

use super::config_error::{ConfigError, MissingReason};
use crate::config::Config;

/// A configuration as found.
#[derive(Debug)]
pub struct ConfigFile {
    /// The configuration; it has no profiles if there is no text.
    pub config: Config,
    /// Its origin.
    pub content: Content,
    /// The text.
    pub text: String,
}

/// The origin of a configuration: how much was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// No file was found. If a symbolic link on the path is dangling, `link` is that link.
    Missing {
        /// The link.
        link: Option<PathBuf>,
    },
    /// The file has no bytes, or only blank ones.
    Empty,
    /// The file has a text, even if only a comment.
    Text,
}

// === impl Found ===

impl ConfigFile {
    /// Returns it if a daemon can start with it, and a command can show it. A missing file is accepted unless it was
    /// `named`: the default file may not exist yet.
    ///
    /// # Errors
    /// [`ConfigError::Gone`] otherwise.
    pub fn usable_at_start(self, path: &Path, named: bool) -> Result<Self, ConfigError> {
        self.unless(path, |content| match content {
            Content::Missing { link: Some(link) } => Some(MissingReason::Dangling(link.clone())),
            Content::Missing { link: None } if named => Some(MissingReason::NoSuchFile),
            _ => None,
        })
    }

    /// Returns it if it may replace the configuration in force, which was read from `before`.
    ///
    /// # Errors
    /// [`ConfigError::Gone`] otherwise.
    pub fn may_replace_current(
        self,
        path: &Path,
        named: bool,
        before: &Content,
    ) -> Result<Self, ConfigError> {
        self.usable_at_start(path, named && matches!(before, Content::Missing { .. }))?
            .unless(path, |content| match (content, before) {
                (Content::Missing { .. }, Content::Empty | Content::Text) => {
                    Some(MissingReason::Removed)
                }
                (Content::Empty, Content::Text) => Some(MissingReason::Emptied),
                _ => None,
            })
    }

    /// Returns it if a command may change it. `before` is what the command has read of the same file, or
    /// [`Content::Missing`] if it has read nothing yet. A file that has gone meanwhile is not created again, and none
    /// is created at the end of a dangling link.
    ///
    /// [`ConfigError::Gone`] otherwise.
    /// [`ConfigError::Gone`].
    pub fn to_change(self, path: &Path, before: &Content) -> Result<Self, ConfigError> {
        self.may_replace_current(path, false, before)
    }

    fn unless(
        self,
        path: &Path,
        gone: impl Fn(&Content) -> Option<MissingReason>,
    ) -> Result<Self, ConfigError> {
        match gone(&self.content) {
            None => Ok(self),
            Some(why) => Err(ConfigError::Gone {
                path: path.to_owned(),
                why,
            }),
        }
    }
}

// === impl Content ===

impl Content {
    /// Describes a path at which no file was found.
    pub(super) fn missing(path: &Path) -> Self {
        let leads_nowhere = |path: &&Path| {
            path.is_symlink() && path.metadata().is_err_and(|error| error.kind() == NotFound)
        };
        Self::Missing {
            link: path.ancestors().find(leads_nowhere).map(Path::to_owned),
        }
    }

    /// Describes a file with these bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if text.trim_ascii().is_empty() {
            Self::Empty
        } else {
            Self::Text
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::super::read;
    use super::*;

    fn missing() -> Content {
        Content::Missing { link: None }
    }

    fn found(content: Content) -> ConfigFile {
        ConfigFile {
            config: Config::default(),
            content,
            text: String::new(),
        }
    }

    fn gone(result: Result<ConfigFile, ConfigError>) -> Option<MissingReason> {
        match result {
            Ok(_) => None,
            Err(ConfigError::Gone { why, .. }) => Some(why),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn an_explicit_configuration_must_exist_and_the_default_need_not() {
        let path = Path::new("/c");
        let link = || Content::Missing {
            link: Some("/l".into()),
        };
        for (content, named, why) in [
            (missing(), false, None),
            (missing(), true, Some(MissingReason::NoSuchFile)),
            (link(), false, Some(MissingReason::Dangling("/l".into()))),
            (link(), true, Some(MissingReason::Dangling("/l".into()))),
            (Content::Empty, true, None),
            (Content::Text, true, None),
        ] {
            let begun = found(content).usable_at_start(path, named);
            assert_eq!(gone(begun), why, "{named}");
        }
    }

    #[test]
    fn a_reload_refuses_a_file_that_was_removed_or_emptied() {
        let path = Path::new("/c");
        for named in [false, true] {
            for (before, now, why) in [
                (Content::Text, missing(), Some(MissingReason::Removed)),
                (Content::Text, Content::Empty, Some(MissingReason::Emptied)),
                (Content::Text, Content::Text, None),
                (Content::Empty, missing(), Some(MissingReason::Removed)),
                (Content::Empty, Content::Empty, None),
                (Content::Empty, Content::Text, None),
                // The file never existed.
                (
                    missing(),
                    missing(),
                    named.then_some(MissingReason::NoSuchFile),
                ),
                (missing(), Content::Empty, None),
                (missing(), Content::Text, None),
            ] {
                let case = format!("{named} {before:?} {now:?}");
                let went_on = found(now).may_replace_current(path, named, &before);
                assert_eq!(gone(went_on), why, "{case}");
            }
        }
    }

    #[test]
    fn missing_empty_and_readable_configurations_are_distinguished() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/config.toml");
        let uid = rustix::process::geteuid().as_raw();
        let content = || read(&path, uid).unwrap().content;
        assert_eq!(content(), missing());
        fs::create_dir(dir.path().join("a")).unwrap();
        assert_eq!(content(), missing());
        for (text, says) in [
            ("", Content::Empty),
            (" \r\n\t\n", Content::Empty),
            ("\u{feff}\n", Content::Empty),
            ("#\n", Content::Text),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(content(), says, "{text:?}");
        }
        // A dangling link is named, whether it is the file itself or a folder on the path.
        let nowhere = dir.path().join("nowhere");
        for link in [path.clone(), dir.path().join("a")] {
            fs::remove_file(&link)
                .or_else(|_| fs::remove_dir(&link))
                .unwrap();
            symlink(&nowhere, &link).unwrap();
            assert_eq!(
                content(),
                Content::Missing {
                    link: Some(link.clone())
                }
            );
            fs::remove_file(&link).unwrap();
            fs::create_dir_all(dir.path().join("a")).unwrap();
            let _ = fs::remove_dir(&link);
        }
    }
}
