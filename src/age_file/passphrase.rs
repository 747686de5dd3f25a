//! Passphrases: parsing, and encryption with them.

use std::fmt;

use age::scrypt;
use age::secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::opening::{self, OpenError};
use super::recipient::sealed_to;
use super::work_factor::WorkFactor;

/// The longest accepted passphrase, in bytes: more than a person types, and less than a terminal's line holds.
pub const MAX_PASSPHRASE_LEN: usize = 1_024;

/// A passphrase. It cannot be printed, cloned or serialised.
pub struct Passphrase(SecretString);

/// The reason why a text is not a passphrase. It never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidPassphrase {
    /// The text is empty.
    Empty,
    /// The text has more than [`MAX_PASSPHRASE_LEN`] bytes.
    TooLong,
    /// The text has a control character, such as a line end inside, which cannot be typed.
    Control,
}

// === impl Passphrase ===

impl Passphrase {
    /// Accepts a passphrase as it was typed.
    ///
    /// # Errors
    /// [`InvalidPassphrase`] says what is wrong, without quoting the text.
    pub fn parse(text: &str) -> Result<Self, InvalidPassphrase> {
        if text.is_empty() {
            return Err(InvalidPassphrase::Empty);
        }
        if text.len() > MAX_PASSPHRASE_LEN {
            return Err(InvalidPassphrase::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidPassphrase::Control);
        }
        Ok(Self(SecretString::from(text)))
    }

    /// Compares two passphrases, such as one that was typed twice.
    pub fn is(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }

    /// Encrypts bytes to an age file that only this passphrase decrypts. The work factor decides how long it takes.
    /// `None` if the system gives no random numbers.
    pub fn seal(&self, bytes: &[u8], work: WorkFactor) -> Option<Zeroizing<Vec<u8>>> {
        let mut recipient = scrypt::Recipient::new(self.copied());
        recipient.set_work_factor(work.number());
        sealed_to(&recipient, bytes)
    }

    /// Decrypts an age file whose content has at most `limit` bytes. The file's work factor, which has a maximum,
    /// decides how long it takes.
    ///
    /// # Errors
    /// [`OpenError`] says why the file was not decrypted.
    pub fn open(&self, file: &[u8], limit: usize) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        if !opening::is_by_passphrase(file)? {
            return Err(OpenError::NotByPassphrase);
        }
        let mut identity = scrypt::Identity::new(self.copied());
        identity.set_max_work_factor(WorkFactor::MOST.number());
        opening::open(file, &identity, limit)
    }

    /// Copies the passphrase, because the age crate takes ownership of one. It wipes that copy too.
    fn copied(&self) -> SecretString {
        SecretString::from(self.0.expose_secret())
    }
}

// === impl InvalidPassphrase ===

impl fmt::Display for InvalidPassphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong => write!(f, "it has more than {MAX_PASSPHRASE_LEN} bytes"),
            Self::Control => f.write_str(
                "it has a control character, such as a second line: a passphrase is one line",
            ),
        }
    }
}

impl std::error::Error for InvalidPassphrase {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_one_line_that_a_person_can_type() {
        for good in ["x", " two words ", "päss wörd", &"x".repeat(1_024)] {
            assert!(Passphrase::parse(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", InvalidPassphrase::Empty),
            (&"x".repeat(10 * 1_024), InvalidPassphrase::TooLong),
            ("two\nlines", InvalidPassphrase::Control),
            ("nul\0", InvalidPassphrase::Control),
        ] {
            assert_eq!(Passphrase::parse(bad).err(), Some(why));
        }
    }

    #[test]
    fn only_the_same_passphrase_opens_a_sealed_file() {
        let right = Passphrase::parse("correct horse").unwrap();
        let wrong = Passphrase::parse("correct horst").unwrap();
        let sealed = right.seal(b"content", WorkFactor::LEAST).unwrap();
        assert_eq!(*right.open(&sealed, 7).unwrap(), b"content");
        assert_eq!(
            wrong.open(&sealed, 7).unwrap_err(),
            OpenError::WrongPassphrase
        );
        assert_eq!(right.open(&sealed, 6).unwrap_err(), OpenError::TooLarge(6));
        for cut in [0, 20, sealed.len() / 2, sealed.len() - 1] {
            let why = right.open(&sealed[..cut], 7).unwrap_err();
            let expected = if cut == 0 {
                OpenError::NotAge
            } else {
                OpenError::Damaged
            };
            assert_eq!(why, expected, "{cut}");
        }
        let mut changed = sealed.to_vec();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(right.open(&changed, 7).unwrap_err(), OpenError::Damaged);
    }

    #[test]
    fn an_excessive_work_factor_is_refused_before_decryption() {
        let passphrase = Passphrase::parse("x").unwrap();
        let file = "age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 30\n\
                    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
                    --- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n0123456789abcdef";
        let why = passphrase.open(file.as_bytes(), 99).unwrap_err();
        assert_eq!(why, OpenError::WorkFactor(30));
        assert!(why.to_string().contains("a work factor of 30"), "{why}");
    }

    #[test]
    fn opening_a_file_of_another_format_reports_the_reason() {
        let passphrase = Passphrase::parse("x").unwrap();
        let identity = crate::age_file::Identity::generate();
        let to_it = identity.recipient().seal(b"x").unwrap();
        for (file, why) in [
            (&to_it[..], OpenError::NotByPassphrase),
            (
                b"age-encryption.org/v2\n-> x\n\n--- y\n",
                OpenError::LaterVersion,
            ),
            (b"{\"version\":2}", OpenError::NotAge),
            (b"", OpenError::NotAge),
        ] {
            let found = passphrase.open(file, 99).unwrap_err();
            assert_eq!(found, why);
        }
    }
}
