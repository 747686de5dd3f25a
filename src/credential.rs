//! What proves to an issuer who we are: the client ID and the client secret.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

use secrecy::{ExposeSecret, SecretString};

use crate::instant::UnixTime;

mod ca;
mod enrolment;
mod raw_answer;
mod wiped;

pub use ca::{Ca, CaContent, CaVerdict};
pub use enrolment::Enrolment;
pub use raw_answer::RawAnswer;
pub use wiped::Wiped;

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
    /// The address that it was enrolled for.
    endpoint: Option<String>,
    /// The certificates that it was enrolled with.
    ca: Option<Ca>,
    /// When it was enrolled. The same secret enrolled again is another credential: the issuer has just accepted it, so it
    /// does not inherit an earlier rejection.
    enrolled_at: Option<UnixTime>,
    /// What the issuer's clock showed then.
    server_date: Option<UnixTime>,
    /// Whether another machine has it as well.
    shared: bool,
}

/// Tells one credential from another without holding it: a hash under a key that is random for each process.
///
/// It can be compared with other ids of the same process, and nothing else can be done with it. The hash is the standard
/// library's SipHash, a keyed pseudo-random function: without the key, an id does not help to guess a secret. A process
/// knows a handful of credentials, for which 64 bits are ample.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CredentialId {
    whole: u64,
    client_id: u64,
    client_secret: u64,
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
            endpoint: None,
            ca: None,
            enrolled_at: None,
            server_date: None,
            shared: false,
        })
    }

    /// A credential of a checked ID and a secret that was read already.
    ///
    /// # Errors
    /// [`InvalidCredential`] tells what is wrong with the ID, without the text.
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

    /// The same credential, for the token endpoint at this address and for no other; for Run:ai the address below which
    /// the token endpoints are.
    #[must_use]
    pub fn bound_to(mut self, endpoint: &str) -> Self {
        self.endpoint = Some(endpoint.to_owned());
        self
    }

    /// The same credential, for servers that these certificates vouch for and for no others.
    #[must_use]
    pub fn trusting(mut self, ca: Ca) -> Self {
        self.ca = Some(ca);
        self
    }

    /// The same credential, as enrolled at this time.
    #[must_use]
    pub const fn enrolled_at(mut self, at: UnixTime) -> Self {
        self.enrolled_at = Some(at);
        self
    }

    /// The same credential, with what the issuer's clock showed at its enrolment.
    #[must_use]
    pub const fn dated(mut self, date: Option<UnixTime>) -> Self {
        self.server_date = date;
        self
    }

    /// The same credential, marked as one that another machine has as well, or as one that none has: a rotation must not
    /// revoke what is still in use elsewhere.
    #[must_use]
    pub const fn shared(mut self, shared: bool) -> Self {
        self.shared = shared;
        self
    }

    /// Whether another machine has it as well.
    pub const fn is_shared(&self) -> bool {
        self.shared
    }

    /// Its id under the key of this process. Credentials that are equal have the same id.
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

    /// The address that it was enrolled for; `None` before it is enrolled.
    pub fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    /// The certificates that it was enrolled with; `None` before it is enrolled.
    pub const fn ca(&self) -> Option<&Ca> {
        self.ca.as_ref()
    }
}

// === impl CredentialId ===

impl CredentialId {
    /// Whether an issuer sees the same client ID and secret of both, whatever else makes them differ.
    pub const fn sends_the_same_as(self, other: Self) -> bool {
        self.client_id == other.client_id && self.client_secret == other.client_secret
    }

    /// Whether this may be half of a change: the client ID is another one, and the secret is still that of `before`.
    pub const fn may_be_half_a_change_of(self, before: Self) -> bool {
        self.client_id != before.client_id && self.client_secret == before.client_secret
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialId(…)")
    }
}

/// Takes a client ID of visible ASCII and spaces (RFC 6749 appendix A.1).
///
/// # Errors
/// [`InvalidCredential`] tells what is wrong, without the text.
pub fn client_id(text: &str) -> Result<String, InvalidCredential> {
    check(text).map(|()| text.to_owned())
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
    fn a_credential_that_is_bound_to_another_address_is_another_one() {
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
    fn an_id_covers_all_that_makes_two_credentials_differ_and_shows_nothing() {
        let key = RandomState::new();
        let parse = |id, secret| Credential::parse(id, secret).unwrap();
        let at = |seconds| UnixTime::from_epoch(std::time::Duration::from_secs(seconds));
        let all = [
            parse("id", "secret"),
            parse("id", "secreT"),
            parse("iD", "secret"),
            // The same bytes, cut at another place.
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
    fn an_id_tells_which_half_of_a_credential_is_another_one() {
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
