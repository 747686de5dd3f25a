//! Work factors of passphrases (scrypt, RFC 7914): the cost of one guess.

use std::fmt;

/// The cost of trying one passphrase: 2 to the power of this number, times 1 KiB of memory. 18 takes about a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkFactor(u8);

/// The error for a number that is not a valid work factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidWorkFactor;

// === impl WorkFactor ===

impl WorkFactor {
    /// The smallest value for a new file: a hundredth of a second.
    pub const LEAST: Self = Self(12);

    /// The default of age's own tools: about a second and 256 MiB.
    pub const USUAL: Self = Self(18);

    /// The largest value accepted for any file: about four seconds and 1 GiB. More would fill the machine's memory.
    pub const MOST: Self = Self(20);

    /// Returns the exponent.
    pub(super) const fn number(self) -> u8 {
        self.0
    }

    /// Parses a number from [`Self::LEAST`] to [`Self::MOST`].
    ///
    /// # Errors
    /// [`InvalidWorkFactor`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidWorkFactor> {
        let number = text.parse().map_err(|_| InvalidWorkFactor)?;
        if (Self::LEAST.0..=Self::MOST.0).contains(&number) {
            Ok(Self(number))
        } else {
            Err(InvalidWorkFactor)
        }
    }
}

impl fmt::Display for WorkFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for InvalidWorkFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (WorkFactor::LEAST, WorkFactor::MOST);
        write!(f, "it takes a number from {least} to {most}")
    }
}

impl std::error::Error for InvalidWorkFactor {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_work_factor_has_limits_on_both_sides() {
        for (text, good) in [
            ("18", true),
            ("12", true),
            ("20", true),
            ("11", false),
            ("21", false),
            ("-1", false),
            ("x", false),
            ("300", false),
        ] {
            assert_eq!(WorkFactor::parse(text).is_ok(), good, "{text}");
        }
    }
}
