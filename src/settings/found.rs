//! What was found where a configuration is looked for, and whether that may be put in force.
//!
//! A file that is gone, or that an editor has just cut to nothing, is no instruction to drop every profile. So nothing
//! but a file with something in it takes the place of a configuration that came from one.

use std::io::ErrorKind::NotFound;
use std::path::{Path, PathBuf};

use super::unusable::{Gone, Unusable};
use crate::config::Config;

/// What was read of a configuration.
#[derive(Debug)]
pub struct Found {
    /// The configuration; without profiles where there is no text.
    pub config: Config,
    /// What it was read from.
    pub content: Content,
    /// The text.
    pub text: String,
}

/// What a configuration was read from, in the order of what it says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// There is no file; where a symbolic link on the way leads nowhere, this is the link.
    Missing {
        /// The link.
        link: Option<PathBuf>,
    },
    /// A file of no bytes, or of blank ones.
    Empty,
    /// A file that says something, be it a comment.
    Text,
}

// === impl Found ===

impl Found {
    /// Whether a daemon can begin with it, and a command say what is in it: without a file only where none was `named`,
    /// since the usual one may not have been made yet.
    ///
    /// # Errors
    /// [`Unusable::Gone`].
    pub fn to_begin_with(self, path: &Path, named: bool) -> Result<Self, Unusable> {
        self.unless(path, |content| match content {
            Content::Missing { link: Some(link) } => Some(Gone::Dangling(link.clone())),
            Content::Missing { link: None } if named => Some(Gone::NoSuchFile),
            _ => None,
        })
    }

    /// Whether it takes the place of the configuration in force, which was read from `before`.
    ///
    /// # Errors
    /// [`Unusable::Gone`].
    pub fn to_go_on_with(
        self,
        path: &Path,
        named: bool,
        before: &Content,
    ) -> Result<Self, Unusable> {
        self.to_begin_with(path, named && matches!(before, Content::Missing { .. }))?
            .unless(path, |content| match (content, before) {
                (Content::Missing { .. }, Content::Empty | Content::Text) => Some(Gone::Removed),
                (Content::Empty, Content::Text) => Some(Gone::Emptied),
                _ => None,
            })
    }

    /// Whether a command may change it that has read `before` of the same file, or [`Content::Missing`] if it has read
    /// nothing yet: a file that has gone meanwhile is not made again, and none is made where a link leads nowhere.
    ///
    /// # Errors
    /// [`Unusable::Gone`].
    pub fn to_change(self, path: &Path, before: &Content) -> Result<Self, Unusable> {
        self.to_go_on_with(path, false, before)
    }

    fn unless(
        self,
        path: &Path,
        gone: impl Fn(&Content) -> Option<Gone>,
    ) -> Result<Self, Unusable> {
        match gone(&self.content) {
            None => Ok(self),
            Some(why) => Err(Unusable::Gone {
                path: path.to_owned(),
                why,
            }),
        }
    }
}

// === impl Content ===

impl Content {
    /// That of a path at which no file was found.
    pub(super) fn missing(path: &Path) -> Self {
        let leads_nowhere = |path: &&Path| {
            path.is_symlink() && path.metadata().is_err_and(|error| error.kind() == NotFound)
        };
        Self::Missing {
            link: path.ancestors().find(leads_nowhere).map(Path::to_owned),
        }
    }

    /// That of a file with these bytes.
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

    fn found(content: Content) -> Found {
        Found {
            config: Config::default(),
            content,
            text: String::new(),
        }
    }

    fn gone(result: Result<Found, Unusable>) -> Option<Gone> {
        match result {
            Ok(_) => None,
            Err(Unusable::Gone { why, .. }) => Some(why),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_named_file_must_be_there_and_the_usual_one_need_not() {
        let path = Path::new("/c");
        let link = || Content::Missing {
            link: Some("/l".into()),
        };
        for (content, named, why) in [
            (missing(), false, None),
            (missing(), true, Some(Gone::NoSuchFile)),
            (link(), false, Some(Gone::Dangling("/l".into()))),
            (link(), true, Some(Gone::Dangling("/l".into()))),
            (Content::Empty, true, None),
            (Content::Text, true, None),
        ] {
            let begun = found(content).to_begin_with(path, named);
            assert_eq!(gone(begun), why, "{named}");
        }
    }

    #[test]
    fn nothing_but_a_text_takes_the_place_of_a_text() {
        let path = Path::new("/c");
        for named in [false, true] {
            for (before, now, why) in [
                (Content::Text, missing(), Some(Gone::Removed)),
                (Content::Text, Content::Empty, Some(Gone::Emptied)),
                (Content::Text, Content::Text, None),
                (Content::Empty, missing(), Some(Gone::Removed)),
                (Content::Empty, Content::Empty, None),
                (Content::Empty, Content::Text, None),
                // It was never there.
                (missing(), missing(), named.then_some(Gone::NoSuchFile)),
                (missing(), Content::Empty, None),
                (missing(), Content::Text, None),
            ] {
                let case = format!("{named} {before:?} {now:?}");
                let went_on = found(now).to_go_on_with(path, named, &before);
                assert_eq!(gone(went_on), why, "{case}");
            }
        }
    }

    #[test]
    fn what_there_is_to_read_is_told_apart() {
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
        // A link that leads nowhere is told, the file itself or a folder on the way.
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
