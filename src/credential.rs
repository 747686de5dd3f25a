//! What proves to an issuer who we are: the client ID and the client secret.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::instant::UnixTime;

/// The longest client ID or secret that is taken, in bytes: twice what Run:ai's reference allows.
pub const MAX_CREDENTIAL_LEN: usize = 1_024;

/// A client secret. It cannot be printed, cloned or serialised; it is shared behind an `Arc`.
pub struct ClientSecret(SecretString);

/// A client ID and its secret.
#[derive(Debug, PartialEq)]
pub struct Credential {
    /// The client ID; not a secret.
    pub client_id: String,
    /// The client secret.
    pub client_secret: ClientSecret,
    /// `scheme://host[:port]` of the token endpoint that it was enrolled for.
    origin: Option<String>,
    /// When it was enrolled. The same secret enrolled again is another credential: the issuer has just accepted it, so it
    /// does not inherit an earlier rejection.
    enrolled_at: Option<UnixTime>,
}

/// Why a text is not a client ID or a client secret. It never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidCredential {
    /// No characters at all.
    Empty,
    /// More than [`MAX_CREDENTIAL_LEN`] bytes.
    TooLong,
    /// A control character or a byte outside of ASCII (RFC 6749 appendix A: `VSCHAR`).
    Characters,
}

// === impl ClientSecret ===

impl ClientSecret {
    /// Takes a secret of visible ASCII and spaces (RFC 6749 appendix A.2).
    ///
    /// # Errors
    /// [`InvalidCredential`] tells what is wrong, without the text.
    pub fn parse(text: &str) -> Result<Self, InvalidCredential> {
        check(text)?;
        Ok(Self(SecretString::from(text)))
    }

    /// The secret's text: the one door to it, for the body of a token request and for the store.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}

impl PartialEq for ClientSecret {
    /// Compares every byte of both whatever the outcome, so that the time tells nothing but the length.
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.expose().as_bytes(), other.expose().as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
    }
}

// === impl Credential ===

impl Credential {
    /// A credential of a checked ID and secret.
    ///
    /// # Errors
    /// [`InvalidCredential`] tells what is wrong with either, without the text.
    pub fn parse(client_id: &str, client_secret: &str) -> Result<Self, InvalidCredential> {
        check(client_id)?;
        Ok(Self {
            client_id: client_id.to_owned(),
            client_secret: ClientSecret::parse(client_secret)?,
            origin: None,
            enrolled_at: None,
        })
    }

    /// The same credential, for the token endpoint at this origin and for no other.
    #[must_use]
    pub fn bound_to(mut self, origin: &str) -> Self {
        self.origin = Some(origin.to_owned());
        self
    }

    /// The same credential, as enrolled at this time.
    #[must_use]
    pub const fn enrolled_at(mut self, at: UnixTime) -> Self {
        self.enrolled_at = Some(at);
        self
    }

    /// `scheme://host[:port]` of the token endpoint that it was enrolled for; `None` before it is enrolled.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }
}

/// RFC 6749 appendix A.1 and A.2: `*VSCHAR`, that is 0x20 to 0x7e.
fn check(text: &str) -> Result<(), InvalidCredential> {
    if text.is_empty() {
        Err(InvalidCredential::Empty)
    } else if text.len() > MAX_CREDENTIAL_LEN {
        Err(InvalidCredential::TooLong)
    } else if text.bytes().all(|b| (0x20..=0x7e).contains(&b)) {
        Ok(())
    } else {
        Err(InvalidCredential::Characters)
    }
}

// === impl InvalidCredential ===

impl fmt::Display for InvalidCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::TooLong => "it is longer than 1024 bytes",
            Self::Characters => "it has characters that a client ID or secret cannot have (control characters, line ends, non-ASCII)",
        })
    }
}

impl std::error::Error for InvalidCredential {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself_and_compares_by_content() {
        let secret = ClientSecret::parse("canary secret").unwrap();
        assert!(!format!("{secret:?} {secret:#?}").contains("canary"));
        assert_eq!(secret, ClientSecret::parse("canary secret").unwrap());
        assert_ne!(secret, ClientSecret::parse("canary secreT").unwrap());
        assert_ne!(secret, ClientSecret::parse("canary").unwrap());
    }

    #[test]
    fn a_credential_that_is_bound_to_another_origin_is_another_one() {
        let bound = |origin: &str| Credential::parse("id", "x").unwrap().bound_to(origin);
        assert_eq!(bound("https://a"), bound("https://a"));
        assert_ne!(bound("https://a"), bound("https://b"));
        assert_ne!(bound("https://a"), Credential::parse("id", "x").unwrap());
        assert_eq!(bound("https://a").origin(), Some("https://a"));
    }

    #[test]
    fn control_characters_and_absurd_lengths_are_refused() {
        for (bad, why) in [
            ("", InvalidCredential::Empty),
            ("a\n", InvalidCredential::Characters),
            ("a\0", InvalidCredential::Characters),
            ("é", InvalidCredential::Characters),
            (&"a".repeat(1_025), InvalidCredential::TooLong),
        ] {
            assert_eq!(ClientSecret::parse(bad).unwrap_err(), why);
            assert_eq!(Credential::parse(bad, "x").unwrap_err(), why);
        }
    }
}
