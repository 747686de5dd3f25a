//! Profile names, parsed once, so that a name is safe as a path segment, a file name, a log field or a label.

use std::fmt;

/// The name of a profile: `[a-z0-9][a-z0-9._-]{0,62}`.
///
/// The alphabet has no separator, no upper case (some file systems fold case), no control character and no leading dot,
/// so a name can be a file name, a URL segment and a line of a protocol without escaping. CVE-2020-5260 shows what
/// happens otherwise.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProfileName(Box<str>);

/// The error for a text that is not the name of a profile. It never quotes the text, which may hold terminal escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidProfileName;

// === impl ProfileName ===

impl ProfileName {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 63;

    /// Parses a name.
    ///
    /// # Errors
    /// [`InvalidProfileName`] if the text does not have the form `[a-z0-9][a-z0-9._-]{0,62}`.
    pub fn parse(text: &str) -> Result<Self, InvalidProfileName> {
        let first_ok = text
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let rest_ok = text.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-')
        });
        if first_ok && rest_ok && text.len() <= Self::MAX_LEN {
            Ok(Self(text.into()))
        } else {
            Err(InvalidProfileName)
        }
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for ProfileName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

// === impl InvalidProfileName ===

impl fmt::Display for InvalidProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a profile's name has 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit",
        )
    }
}

impl std::error::Error for InvalidProfileName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_profile_names_of_the_documented_form_are_accepted() {
        let longest = "a".repeat(63);
        for good in ["a", "0", "research", "ci.prod", "a_b-c.d", longest.as_str()] {
            assert_eq!(ProfileName::parse(good).unwrap().as_str(), good);
        }
        let too_long = "a".repeat(64);
        for bad in [
            "",
            ".",
            "..",
            ".a",
            "-a",
            "_a",
            "A",
            "a b",
            "a/b",
            "a\n",
            "a\rb",
            "a\0",
            "é",
            "a%0a",
            "\u{1b}[31m",
            "\u{202e}a",
            too_long.as_str(),
        ] {
            assert_eq!(ProfileName::parse(bad), Err(InvalidProfileName), "{bad:?}");
        }
    }
}
