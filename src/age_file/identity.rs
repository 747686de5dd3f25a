//! Identities: the secret key that decrypts what was encrypted to its recipient.

use std::fmt;

use age::secrecy::{ExposeSecret as _, SecretString};
use age::x25519;
use zeroize::Zeroizing;

use super::opening::{self, OpenError};
use super::recipient::Recipient;

/// An X25519 identity. It cannot be printed, cloned or serialised, and is wiped when dropped. It is boxed, so that a
/// move leaves no copy behind.
pub struct Identity(Box<x25519::Identity>);

/// The reason why a text is not an identity. It never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidIdentity {
    /// The text holds no identity.
    Missing,
    /// The text holds more than one identity.
    Several,
    /// The identity belongs to a plug-in, such as that of a hardware key.
    Plugin,
    /// A line is neither an identity nor a comment.
    Malformed,
}

// === impl Identity ===

impl Identity {
    /// Generates a new identity.
    pub fn generate() -> Self {
        Self(Box::new(x25519::Identity::generate()))
    }

    /// Reads an identity file in the form that `age-keygen` writes: one line with the identity, and comments.
    ///
    /// # Errors
    /// [`InvalidIdentity`] says what is wrong, without quoting the text.
    pub fn parse(text: &str) -> Result<Self, InvalidIdentity> {
        let lines = text.lines().map(str::trim);
        let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let line = lines.next().ok_or(InvalidIdentity::Missing)?;
        if lines.next().is_some() {
            return Err(InvalidIdentity::Several);
        }
        match line.parse() {
            Ok(identity) => Ok(Self(Box::new(identity))),
            Err(_) if line.starts_with("AGE-PLUGIN-") => Err(InvalidIdentity::Plugin),
            Err(_) => Err(InvalidIdentity::Malformed),
        }
    }

    /// Returns the recipient that belongs to this identity.
    pub fn recipient(&self) -> Recipient {
        Recipient::of(&self.0.to_public())
    }

    /// Exposes the identity's text. Only the file that a passphrase wraps and the daemon that decrypts records need it.
    pub fn expose(&self) -> Zeroizing<String> {
        let text: SecretString = self.0.to_string();
        Zeroizing::new(text.expose_secret().to_owned())
    }

    /// Decrypts an age file whose content has at most `limit` bytes.
    ///
    /// # Errors
    /// [`OpenError`] says why the file was not decrypted.
    pub fn open(&self, file: &[u8], limit: usize) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        opening::open(file, &*self.0, limit)
    }
}

// === impl InvalidIdentity ===

impl fmt::Display for InvalidIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is no age identity in it",
            Self::Several => "there is more than one age identity in it",
            Self::Plugin => {
                "its identity is one of an age plug-in, which this program does not support"
            }
            Self::Malformed => "it is not an age identity (AGE-SECRET-KEY-1…)",
        })
    }
}

impl std::error::Error for InvalidIdentity {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key pair from the tests of the age specification.
    const SECRET: &str =
        "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    const PUBLIC: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    #[test]
    fn an_identity_file_has_one_identity_and_comments() {
        let file = format!("# created: 2026-01-01\r\n# public key: {PUBLIC}\r\n\r\n {SECRET}\r\n");
        for text in [SECRET, &file] {
            let identity = Identity::parse(text).unwrap();
            assert_eq!(identity.recipient().as_str(), PUBLIC);
            assert_eq!(*identity.expose(), SECRET);
        }
        for (text, why) in [
            ("", InvalidIdentity::Missing),
            ("# nothing", InvalidIdentity::Missing),
            (&format!("{SECRET}\n{SECRET}"), InvalidIdentity::Several),
            ("AGE-PLUGIN-YUBIKEY-1QQQ", InvalidIdentity::Plugin),
            (PUBLIC, InvalidIdentity::Malformed),
            (&SECRET[..70], InvalidIdentity::Malformed),
        ] {
            assert_eq!(Identity::parse(text).err(), Some(why), "{text}");
        }
    }

    #[test]
    fn only_the_recipients_identity_opens_a_sealed_file() {
        let (ours, other) = (Identity::generate(), Identity::generate());
        let sealed = ours.recipient().seal(b"content").unwrap();
        assert!(!sealed.windows(7).any(|bytes| bytes == b"content"));
        assert_eq!(*ours.open(&sealed, 7).unwrap(), b"content");
        let why = other.open(&sealed, 7).unwrap_err();
        assert_eq!(why, OpenError::NotForThisIdentity);
        assert_eq!(ours.open(&sealed, 6).unwrap_err(), OpenError::TooLarge(6));
        for cut in 0..sealed.len() {
            let why = ours.open(&sealed[..cut], 7).unwrap_err();
            assert!(
                matches!(why, OpenError::Damaged | OpenError::NotAge),
                "{cut} {why:?}"
            );
        }
        for at in 0..sealed.len() {
            let mut changed = sealed.to_vec();
            changed[at] ^= 1;
            assert!(ours.open(&changed, 7).is_err(), "{at}");
        }
    }

    #[test]
    fn opening_a_passphrase_file_with_an_identity_fails_without_key_derivation() {
        let ours = Identity::generate();
        let file = "age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 30\n\
                    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
                    --- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n0123456789abcdef";
        let why = ours.open(file.as_bytes(), 99).unwrap_err();
        assert_eq!(why, OpenError::NotForThisIdentity);
    }
}
