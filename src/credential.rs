//! Credentials: the client ID and the client secret with which Jeton authenticates to an issuer.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};

use crate::instant::UnixTime;

mod ca;
mod enrolment;
mod raw_answer;
mod surrounded;
mod wiped;

pub use ca::{Ca, CaContent, CaVerdict};
pub use enrolment::Enrolment;
pub use raw_answer::RawAnswer;
pub use surrounded::{Label, SurroundedText, is_space, label};
pub use wiped::WipedString;

/// The longest accepted client ID or secret, in bytes: twice what Run:ai's reference allows.
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
    /// The address of the token endpoint that it was enrolled for.
    endpoint: Option<String>,
    /// The certificates that were trusted at enrolment.
    ca: Option<Ca>,
    /// The time of enrolment. The same secret enrolled again is another credential: the issuer has just accepted it, so
    /// it does not inherit an earlier rejection.
    enrolled_at: Option<UnixTime>,
    /// The time on the issuer's clock at enrolment.
    server_date: Option<UnixTime>,
    /// Whether another machine uses it too.
    shared: bool,
}

/// An identifier of a credential that does not contain it: a hash under a key that is random for each process.
///
/// It can only be compared with other identifiers of the same process. The hash is the standard library's SipHash, a
/// keyed pseudo-random function: without the key, an identifier does not help to guess a secret. A process knows a
/// handful of credentials, for which 64 bits are ample.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CredentialId {
    whole: u64,
    client_id: u64,
    client_secret: u64,
}

/// The reason why a text is not a client ID or a client secret. It never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidCredential {
    /// The text is empty.
    Empty,
    /// The text has more than [`MAX_CREDENTIAL_LEN`] bytes.
    TooLong,
    /// The text has a control character or a byte outside of ASCII (RFC 6749 appendix A: `VSCHAR`).
    Characters,
}

// === impl ClientSecret ===

impl ClientSecret {
    /// Accepts a secret of visible ASCII and spaces (RFC 6749 appendix A.2).
    ///
    /// # Errors
    /// [`InvalidCredential`] says what is wrong, without quoting the text.
    pub fn parse(text: &str) -> Result<Self, InvalidCredential> {
        check(text)?;
        Ok(Self(SecretString::from(text)))
    }

    /// Exposes the secret's text. Only the body of a token request and the store need it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The SHA-256 of the secret in hexadecimal digits, which a journal may have: an issuer's secret is too long to be
    /// guessed from it.
    pub fn sha256(&self) -> String {
        let hash = Sha256::digest(self.expose());
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}

impl PartialEq for ClientSecret {
    /// Compares in constant time: every byte is compared whatever the outcome, so the time reveals only the length.
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.expose().as_bytes(), other.expose().as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
    }
}

// === impl Credential ===

impl Credential {
    /// Creates a credential, and checks both parts.
    ///
    /// # Errors
    /// [`InvalidCredential`] says what is wrong with either part, without quoting it.
    pub fn parse(client_id: &str, client_secret: &str) -> Result<Self, InvalidCredential> {
        check(client_id)?;
        Ok(Self {
            client_id: client_id.to_owned(),
            client_secret: ClientSecret::parse(client_secret)?,
            endpoint: None,
            ca: None,
            enrolled_at: None,
            server_date: None,
            shared: false,
        })
    }

    /// Creates a credential of an ID, which is checked, and a secret that was parsed before.
    ///
    /// # Errors
    /// [`InvalidCredential`] says what is wrong with the ID, without quoting it.
    pub fn new(client_id: &str, client_secret: ClientSecret) -> Result<Self, InvalidCredential> {
        check(client_id)?;
        Ok(Self {
            client_id: client_id.to_owned(),
            client_secret,
            endpoint: None,
            ca: None,
            enrolled_at: None,
            server_date: None,
            shared: false,
        })
    }

    /// Binds the credential to the token endpoint at this address; for Run:ai, to the base address of the token
    /// endpoints. It is sent nowhere else.
    #[must_use]
    pub fn bound_to(mut self, endpoint: &str) -> Self {
        self.endpoint = Some(endpoint.to_owned());
        self
    }

    /// Binds the credential to servers that these certificates vouch for.
    #[must_use]
    pub fn trusting(mut self, ca: Ca) -> Self {
        self.ca = Some(ca);
        self
    }

    /// Sets the time of enrolment.
    #[must_use]
    pub const fn enrolled_at(mut self, at: UnixTime) -> Self {
        self.enrolled_at = Some(at);
        self
    }

    /// Sets the time on the issuer's clock at enrolment.
    #[must_use]
    pub const fn dated(mut self, date: Option<UnixTime>) -> Self {
        self.server_date = date;
        self
    }

    /// Sets whether another machine uses the credential too: a rotation must not revoke what is still in use elsewhere.
    #[must_use]
    pub const fn shared(mut self, shared: bool) -> Self {
        self.shared = shared;
        self
    }

    /// Reports whether another machine uses it too.
    pub const fn is_shared(&self) -> bool {
        self.shared
    }

    /// Returns its identifier under the key of this process. Equal credentials have the same identifier.
    pub fn id(&self, key: &RandomState) -> CredentialId {
        let secret = self.client_secret.expose();
        CredentialId {
            whole: key.hash_one((
                &self.client_id,
                secret,
                &self.endpoint,
                &self.ca,
                self.enrolled_at,
            )),
            client_id: key.hash_one(&self.client_id),
            client_secret: key.hash_one(secret),
        }
    }

    /// Returns the address that it was enrolled for; `None` before it is enrolled.
    pub fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    /// Returns the certificates that it was enrolled with; `None` before it is enrolled.
    pub const fn ca(&self) -> Option<&Ca> {
        self.ca.as_ref()
    }
}

// === impl CredentialId ===

impl CredentialId {
    /// Reports whether both send the same client ID and secret to an issuer, whatever else differs between them.
    pub const fn sends_the_same_as(self, other: Self) -> bool {
        self.client_id == other.client_id && self.client_secret == other.client_secret
    }

    /// Reports whether this may be a change that is only half written: the client ID differs, and the secret is still
    /// that of `before`.
    pub const fn may_be_half_a_change_of(self, before: Self) -> bool {
        self.client_id != before.client_id && self.client_secret == before.client_secret
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialId(…)")
    }
}

/// Accepts a client ID of visible ASCII and spaces (RFC 6749 appendix A.1).
///
/// # Errors
/// [`InvalidCredential`] says what is wrong, without quoting the text.
pub fn client_id(text: &str) -> Result<String, InvalidCredential> {
    check(text).map(|()| text.to_owned())
}

/// Checks RFC 6749 appendix A.1 and A.2: `*VSCHAR`, which is 0x20 to 0x7e.
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
    fn debug_output_hides_a_secret_and_equality_compares_its_content() {
        let secret = ClientSecret::parse("canary secret").unwrap();
        assert!(!format!("{secret:?} {secret:#?}").contains("canary"));
        assert_eq!(secret, ClientSecret::parse("canary secret").unwrap());
        assert_ne!(secret, ClientSecret::parse("canary secreT").unwrap());
        assert_ne!(secret, ClientSecret::parse("canary").unwrap());
    }

    #[test]
    fn credentials_bound_to_different_endpoints_are_not_equal() {
        let bound = |endpoint: &str| {
            let credential = Credential::parse("id", "x").unwrap();
            credential.bound_to(endpoint)
        };
        assert_eq!(bound("https://a"), bound("https://a"));
        assert_ne!(bound("https://a"), bound("https://b"));
        assert_ne!(bound("https://a"), Credential::parse("id", "x").unwrap());
        assert_eq!(bound("https://a").endpoint(), Some("https://a"));
        assert_ne!(bound("https://a/x"), bound("https://a/y"));
    }

    #[test]
    fn a_credential_id_covers_every_field_and_reveals_nothing() {
        let key = RandomState::new();
        let parse = |id, secret| Credential::parse(id, secret).unwrap();
        let at = |seconds| UnixTime::from_epoch(std::time::Duration::from_secs(seconds));
        let all = [
            parse("id", "secret"),
            parse("id", "secreT"),
            parse("iD", "secret"),
            // The same bytes as above, split between ID and secret at another place.
            parse("ids", "ecret"),
            parse("id", "secret").bound_to("https://a"),
            parse("id", "secret").bound_to("https://b"),
            parse("id", "secret").enrolled_at(at(1)),
            parse("id", "secret").enrolled_at(at(2)),
        ];
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                assert_eq!(a.id(&key) == b.id(&key), i == j, "{a:?} {b:?}");
            }
        }
        let id = parse("id", "secret").id(&key);
        assert!(id == parse("id", "secret").id(&key));
        assert!(id != parse("id", "secret").id(&RandomState::new()));
        assert_eq!(format!("{id:?} {id:#?}"), "CredentialId(…) CredentialId(…)");
    }

    #[test]
    fn a_credential_id_shows_whether_client_id_or_secret_changed() {
        let key = RandomState::new();
        let of = |id, secret| Credential::parse(id, secret).unwrap().id(&key);
        let before = of("id", "secret");
        for (now, sends_the_same, may_be_half) in [
            (of("id", "secret"), true, false),
            (of("new", "secret"), false, true),
            (of("id", "new"), false, false),
            (of("new", "new"), false, false),
        ] {
            assert_eq!(now.sends_the_same_as(before), sends_the_same);
            assert_eq!(now.may_be_half_a_change_of(before), may_be_half);
        }
        let credential = Credential::parse("id", "secret").unwrap();
        let enrolled = credential.bound_to("https://a").id(&key);
        assert!(enrolled != before && enrolled.sends_the_same_as(before));
    }

    #[test]
    fn control_characters_and_excessive_lengths_are_refused() {
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
