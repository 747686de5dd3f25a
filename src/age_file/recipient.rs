//! Recipients: the public part of an identity. Anyone encrypts to it; only the identity decrypts.

use std::fmt;
use std::io::Write as _;
use std::iter;
use std::str::FromStr as _;

use age::x25519;
use zeroize::Zeroizing;

/// The most bytes that an age file has besides its content: the header with one recipient, and a tag for each 64 KiB.
const AROUND: usize = 1_024;

/// An X25519 recipient, written `age1…`.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient(String);

/// The reason why a text is not a recipient. It never quotes the text, which may be a misplaced secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidRecipient {
    /// The text is a secret identity.
    Identity,
    /// The recipient belongs to a plug-in, such as that of a hardware key.
    Plugin,
    /// The text is an SSH key.
    Ssh,
    /// The text is not a recipient of age.
    Other,
}

// === impl Recipient ===

impl Recipient {
    /// Parses a recipient as `age-keygen` prints it.
    ///
    /// # Errors
    /// [`InvalidRecipient`] says what the text is instead.
    pub fn parse(text: &str) -> Result<Self, InvalidRecipient> {
        match x25519::Recipient::from_str(text) {
            Ok(recipient) => Ok(Self::of(&recipient)),
            Err(_) => Err(InvalidRecipient::of(text)),
        }
    }

    pub(super) fn of(recipient: &x25519::Recipient) -> Self {
        Self(recipient.to_string())
    }

    /// Returns the recipient in the configuration's spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Encrypts bytes to an age file that only the recipient's identity decrypts. `None` if the system gives no random
    /// numbers.
    pub fn seal(&self, bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let recipient = x25519::Recipient::from_str(&self.0).ok()?;
        sealed_to(&recipient, bytes)
    }
}

/// Encrypts bytes to an age file for one recipient of any kind.
pub(super) fn sealed_to(
    recipient: &dyn age::Recipient,
    bytes: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let encryptor = age::Encryptor::with_recipients(iter::once(recipient)).ok()?;
    let mut sealed = Zeroizing::new(Vec::with_capacity(bytes.len() + AROUND));
    let mut writer = encryptor.wrap_output(&mut *sealed).ok()?;
    writer.write_all(bytes).ok()?;
    writer.finish().ok()?;
    Some(sealed)
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl InvalidRecipient ===

impl InvalidRecipient {
    fn of(text: &str) -> Self {
        let text = text.trim().to_ascii_lowercase();
        let is_of_plugin = || {
            let name = text.strip_prefix("age1")?.rsplit_once('1')?.0;
            Some(!name.is_empty())
        };
        if text.starts_with("age-secret-key-") || text.starts_with("age-plugin-") {
            Self::Identity
        } else if text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.starts_with("sk-")
        {
            Self::Ssh
        } else if is_of_plugin() == Some(true) {
            Self::Plugin
        } else {
            Self::Other
        }
    }
}

impl fmt::Display for InvalidRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => {
                "this is a secret identity, which opens every record: remove it from this file, make a new one, and put the recipient here that begins with age1"
            }
            Self::Plugin => {
                "this is the recipient of an age plug-in, which the daemon does not support: it takes an X25519 recipient, which `jetond encrypt-store` makes"
            }
            Self::Ssh => {
                "this is an SSH key: it takes an X25519 recipient (age1…), which `jetond encrypt-store` makes"
            }
            Self::Other => {
                "this is not an age recipient: it begins with age1 and has 62 characters, and `jetond encrypt-store` makes it"
            }
        })
    }
}

impl std::error::Error for InvalidRecipient {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key pair from the tests of the age specification.
    const GOOD: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    #[test]
    fn only_x25519_recipients_are_accepted_and_other_kinds_are_named() {
        assert_eq!(Recipient::parse(GOOD).unwrap().as_str(), GOOD);
        for (text, why) in [
            ("", InvalidRecipient::Other),
            ("age1", InvalidRecipient::Other),
            (&GOOD[..61], InvalidRecipient::Other),
            (&GOOD.replace("svpy7pa", "svpy7pb"), InvalidRecipient::Other),
            (&format!("{GOOD} "), InvalidRecipient::Other),
            (
                "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33",
                InvalidRecipient::Identity,
            ),
            ("AGE-PLUGIN-YUBIKEY-1QQQ", InvalidRecipient::Identity),
            (
                "age1yubikey1q2w7u3vpya839jxxuq8g0sedh3d740d4xvn639sqhr95ejj8vu3hyfumptt",
                InvalidRecipient::Plugin,
            ),
            (
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN",
                InvalidRecipient::Ssh,
            ),
        ] {
            assert_eq!(Recipient::parse(text), Err(why), "{text}");
        }
    }
}
