//! Names for access keys, and the rule that they follow.

use std::fmt;

/// The rule, worded for people (`^[a-z][-_a-z0-9]*[a-z0-9]$`, in the documents from 2.20 on).
pub const NAME_RULE: &str = "a name has at least two characters, begins with a lowercase letter, ends with a lowercase letter or a digit, and has only lowercase letters, digits, '-' and '_' between them";

/// The longest accepted name, in characters. The documents name no limit.
const MAX_LEN: usize = 255;

/// A name for a new key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName(String);

impl KeyName {
    /// Parses a name that follows the rule.
    ///
    /// # Errors
    /// The rule, worded for people. The text itself is not quoted: it may be a misplaced secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_end = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let follows = match text.as_bytes() {
            [first, middle @ .., last] => {
                first.is_ascii_lowercase()
                    && is_end(last)
                    && middle.iter().all(|b| is_end(b) || b"-_".contains(b))
            }
            _ => false,
        };
        if !follows {
            return Err(NAME_RULE.to_owned());
        }
        if text.len() > MAX_LEN {
            return Err(format!("a name has at most {MAX_LEN} characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_name_follows_the_vendor_rule_which_a_refusal_quotes() {
        for good in ["ab", "a1", "a-b", "a_b", "a--_1", "ci-runner-2"] {
            assert_eq!(KeyName::parse(good).unwrap().as_str(), good);
        }
        let long = "a".repeat(1_024);
        for bad in [
            "",
            "a",
            "1a",
            "-a",
            "_a",
            "a-",
            "a_",
            "A1",
            "aB",
            "a.b",
            "a b",
            " ab",
            "ab\n",
            "a\0b",
            "a\x1b[31mb",
            "äb",
            "aб",
            "密钥",
            &long,
        ] {
            let why = KeyName::parse(bad).unwrap_err();
            assert!(why.contains("a name has"), "{bad:?}");
        }
    }
}
