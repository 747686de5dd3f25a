//! Bearer tokens, their validity, and what an issuer grants. Redaction of tokens is implemented here.

mod forms;
mod last_answer;
mod pieces;
mod scope;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::instant::BootInstant;
use forms::{TokenForm, TokenForms};

pub use last_answer::LastAnswer;
pub use pieces::{Pieces, around_in_json, share};
pub use scope::Scope;

/// Longest accepted token, in bytes. Most tokens are below 4 KiB. Keycloak with many roles has been seen to give 10 to
/// 30 KiB.
pub const MAX_TOKEN_LEN: usize = 65_536;

/// Lifetime that is assumed if neither the issuer nor the token states one.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);

/// Shortest lifetime of a token. A token with a stated lifetime of 0 is held for this long, and the next attempts
/// follow the back-off of failures.
pub const MIN_LIFETIME: Duration = Duration::from_secs(1);

/// Longest accepted lifetime. A longer one is cut to it.
pub const MAX_LIFETIME: Duration = Duration::from_secs(86_400);

/// A bearer token. It cannot be printed, cloned or serialised. Holders share its text.
pub struct AccessToken(Arc<TokenForms>);

/// Reason why a text is not a bearer token. Never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidToken {
    /// It has no characters.
    Empty,
    /// It has more than [`MAX_TOKEN_LEN`] bytes.
    TooLong,
    /// It has a character outside `!` to `~`. This is RFC 6749 section A.12 without the space, which would end the
    /// token in a header or a shell word. Real issuers use all of these characters, not only the `b64token` of RFC 6750
    /// section 2.1.
    Characters,
}

/// An issuer's grant: the token and its stated lifetime.
#[derive(Debug)]
pub struct Grant {
    /// The token.
    pub token: AccessToken,
    /// The lifetime from the moment of the request: the shorter of what the answer states and what the token itself
    /// states. `None` if neither is usable. Zero if the answer states zero and the token states nothing.
    pub lifetime: Option<Duration>,
    /// Whether the answer itself stated a lifetime.
    pub stated: bool,
    /// The remaining validity from the moment of the request, according to the expiry in the token itself. If the
    /// answer has no date, it is the token's whole lifetime, however old the token is. No answer can extend it.
    pub shown: Option<Duration>,
    /// The scope, if it differs from the requested one.
    pub scope: Option<Scope>,
}

/// The time in which a token is valid, on the boot clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// When the request for it was sent. So network delay shortens a lifetime and never lengthens it.
    pub issued: BootInstant,
    /// The lifetime that the issuer stated, clamped to 1 s … 24 h. The schedule is based on it.
    pub lifetime: Duration,
    /// When we stop serving it: at the end of the lifetime less a reserve of min(30 s, 5 %).
    pub expires: BootInstant,
}

// === impl Grant ===

impl Grant {
    /// Creates a grant of this token with nothing else stated.
    pub const fn of(token: AccessToken) -> Self {
        Self {
            token,
            lifetime: None,
            stated: false,
            shown: None,
            scope: None,
        }
    }

    /// Replaces the lifetime that the answer states. The expiry in the token itself still limits it.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        let least = self.shown.map_or(lifetime, |shown| shown.min(lifetime));
        (self.lifetime, self.stated) = (Some(least), true);
        self
    }

    /// Whether the token expires in the very second of the answer, by the issuer's own clock.
    pub fn is_ending(&self) -> bool {
        self.shown.is_some_and(|left| left.is_zero())
    }

    /// Whether the issuer states a lifetime of zero and the token itself states none. The real lifetime is unknown
    /// then.
    pub fn has_zero_lifetime(&self) -> bool {
        self.lifetime.is_some_and(|lifetime| lifetime.is_zero()) && self.shown.is_none()
    }
}

// === impl AccessToken ===

impl AccessToken {
    /// Accepts a token that consists of printable ASCII characters without the space.
    ///
    /// # Errors
    /// [`InvalidToken`] says what is wrong, without quoting the text.
    pub fn parse(text: &str) -> Result<Self, InvalidToken> {
        if text.is_empty() {
            return Err(InvalidToken::Empty);
        }
        if text.len() > MAX_TOKEN_LEN {
            return Err(InvalidToken::TooLong);
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(InvalidToken::Characters);
        }
        Ok(Self(Arc::new(TokenForms::new(text))))
    }

    /// Returns the token's text, for an answer to a caller that asked for it.
    pub fn expose(&self) -> &str {
        self.0.expose(TokenForm::Plain)
    }

    /// Returns the token as in a JSON string, without the quotes: `"` and `\` are escaped.
    pub fn expose_json(&self) -> &str {
        self.0.expose(TokenForm::Json)
    }

    /// Returns another holder of the same token, for a call that outlives this one. The text is not copied.
    #[must_use]
    pub fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Finds the token in an answer. Returns its position and its shared bytes, so that any number of unread answers
    /// keeps only one copy. Returns `None` if the answer contains the token in neither form.
    fn find_shared(&self, answer: &[u8]) -> Option<(usize, Bytes)> {
        self.0.find_shared(answer)
    }

    /// Returns the shared bytes of the token's JSON form.
    fn share_in_json(&self) -> Bytes {
        self.0.shared(TokenForm::Json)
    }

    /// Returns the SHA-256 of the token, which identifies it in a report without the token itself.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.expose()).into()
    }
}

impl PartialEq for AccessToken {
    /// Compares all bytes whatever the result, so that the time reveals only the length.
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.expose().as_bytes(), other.expose().as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

// === impl InvalidToken ===

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the token is empty",
            Self::TooLong => "the token is longer than 65536 bytes",
            Self::Characters => {
                "the token has a space, a control character or one outside of ASCII, which no header may carry"
            }
        })
    }
}

impl std::error::Error for InvalidToken {}

// === impl Validity ===

impl Validity {
    /// Computes the validity of a token that was requested at `sent` with the `stated` lifetime. The lifetime is
    /// clamped to 1 s … 24 h. The expiry is min(30 s, 5 %) earlier than its end, so that a token which is served in its
    /// last moment is still valid when it arrives.
    pub fn new(sent: BootInstant, stated: Option<Duration>) -> Self {
        let lifetime = stated
            .unwrap_or(DEFAULT_LIFETIME)
            .clamp(MIN_LIFETIME, MAX_LIFETIME);
        let reserve = (lifetime / 20).min(Duration::from_secs(30));
        Self {
            issued: sent,
            lifetime,
            expires: sent.after(lifetime.saturating_sub(reserve)),
        }
    }

    /// Computes the validity after the issuer gave the same token again at `sent` with the lifetime `stated`. Returns
    /// also whether that is an extension. Small differences, as between two requests of different speed, do not count
    /// as one.
    ///
    /// Without an extension, the lifetime stays that of the first grant and the expiry follows the new answer, so that
    /// the reserve shrinks with the remaining time. The smallest lifetime never extends the validity: a stated 0 is
    /// read as this lifetime too, and the token would be served past its end.
    pub fn again(&self, sent: BootInstant, stated: Duration) -> (Self, bool) {
        let new = Self::new(sent, Some(stated));
        let slack = (self.lifetime / 10).min(Duration::from_secs(10));
        let end = |validity: &Self| validity.issued.after(validity.lifetime);
        let is_word = new.lifetime > MIN_LIFETIME;
        if is_word && end(&new) > end(self).after(slack) {
            return (new, true);
        }
        let expires = if is_word {
            new.expires
        } else {
            new.expires.min(end(self))
        };
        (Self { expires, ..*self }, false)
    }

    /// Returns how long the token is still valid at `now`.
    pub const fn remaining(&self, now: BootInstant) -> Duration {
        self.expires.since(now)
    }

    /// Whether the token is still valid at `now`.
    pub fn holds(&self, now: BootInstant) -> bool {
        now < self.expires
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn boot(s: u64) -> BootInstant {
        BootInstant::from_boot(Duration::from_secs(s))
    }

    #[test]
    fn a_token_must_be_printable_ascii_without_spaces() {
        let all: String = ('!'..='~').collect();
        assert_eq!(all.len(), 94);
        for good in [
            "a",
            "eyJ.x-_~+/=",
            // Tokens as Salesforce, Amazon and eBay give them.
            "00D5e000001N20Q!ASAAQEDBeG8bOwPu8NWGsvFwWNfqHOp5ZcjMpFsU6yEMxTKdBuRXNzSZ8xGVyAiY8xoy1KYkaadzRlA2F5Zd3JXqLVitOdNS",
            "Atza|IQEBLjAsAhRmHjNgHpi0U-Dme37rR6CuUpSR",
            "v^1.1#i^1#r^0#f^0#I^3#p^1#t^H4sIAAAA",
            &all,
            &"a".repeat(16_385),
            &"\"".repeat(MAX_TOKEN_LEN),
        ] {
            assert_eq!(AccessToken::parse(good).unwrap().expose(), good);
        }
        assert_eq!(AccessToken::parse("").unwrap_err(), InvalidToken::Empty);
        let long = "a".repeat(MAX_TOKEN_LEN + 1);
        assert_eq!(
            AccessToken::parse(&long).unwrap_err(),
            InvalidToken::TooLong
        );
        for bad in [
            "a b",
            " a",
            "a\n",
            "a\rb",
            "\t",
            "a\u{7f}",
            "é",
            "a\0",
            "a\u{a0}",
            "a\u{2028}",
        ] {
            assert_eq!(
                AccessToken::parse(bad).unwrap_err(),
                InvalidToken::Characters,
                "{bad:?}"
            );
        }
    }

    #[test]
    fn tokens_are_equal_when_every_byte_is() {
        let token = |text| AccessToken::parse(text).unwrap();
        for (a, b, equal) in [
            ("abc", "abc", true),
            ("abc", "abd", false),
            ("abc", "xbc", false),
            ("abc", "ab", false),
            ("abc", "abcd", false),
        ] {
            assert_eq!(token(a) == token(b), equal, "{a} {b}");
        }
    }

    #[test]
    fn debug_output_hides_a_token() {
        let token = AccessToken::parse("canary-token").unwrap();
        assert!(!format!("{token:?} {token:#?}").contains("canary"));
    }

    #[test]
    fn a_token_is_served_until_30_s_or_5_percent_before_its_expiry() {
        for (stated, served) in [
            (Some(3_600), 3_570_000),
            (Some(100), 95_000),
            (Some(1), 950),
            (Some(0), 950),
            (Some(10_000_000), 86_370_000),
            (None, 285_000),
        ] {
            let v = Validity::new(boot(7), stated.map(Duration::from_secs));
            assert_eq!(
                v.expires.since(v.issued),
                Duration::from_millis(served),
                "{stated:?}"
            );
            assert!(v.holds(boot(7)) && !v.holds(v.expires));
        }
    }

    #[test]
    fn a_repeated_token_keeps_its_lifetime_and_takes_the_stated_expiry() {
        let first = Validity::new(boot(0), Some(Duration::from_secs(3_600)));
        for (sent, stated, expires, extended) in [
            (1_800, 1_800, 3_570_000, false),
            // The reserve shrinks with the remaining time.
            (3_500, 100, 3_595_000, false),
            // Rounding and network delay are no extension.
            (1_800, 1_810, 3_580_000, false),
            (1_800, 1_811, 3_581_000, true),
            (1_800, 3_600, 5_370_000, true),
            // A shorter stated lifetime is accepted as well.
            (1_800, 60, 1_857_000, false),
            (1_800, 0, 1_800_950, false),
            // A 0 is read as 1 s, which must not extend the validity.
            (3_599, 1, 3_599_950, false),
            (3_600, 0, 3_600_000, false),
        ] {
            let (again, is_extended) = first.again(boot(sent), Duration::from_secs(stated));
            let served = again.expires.since(boot(0));
            assert_eq!(served, Duration::from_millis(expires), "{sent} {stated}");
            assert_eq!(is_extended, extended, "{sent} {stated}");
            let kept = (again.issued, again.lifetime) == (first.issued, first.lifetime);
            assert_eq!(kept, !extended, "{sent} {stated}");
        }
    }

    #[test]
    fn a_repeated_token_with_one_second_lifetime_is_not_extended() {
        let first = Validity::new(boot(0), Some(Duration::from_secs(1)));
        let later = BootInstant::from_boot(Duration::from_millis(800));
        for stated in [0, 1] {
            let (again, extended) = first.again(later, Duration::from_secs(stated));
            assert_eq!((again.expires, extended), (boot(1), false), "{stated}");
        }
    }
}
