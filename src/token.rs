//! The bearer token, how long it holds, and what an issuer grants. Redaction of tokens lives here.

mod last_answer;
mod pieces;
mod scope;
mod spelled;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::instant::BootInstant;
use spelled::{Spelled, Spelling};

pub use last_answer::LastAnswer;
pub use pieces::{Pieces, around_in_json, share};
pub use scope::Scope;

/// The longest token that is taken, in bytes. Most are below 4 KiB; Keycloak with many roles was seen to give 10 to 30 KiB.
pub const MAX_TOKEN_LEN: usize = 65_536;

/// The lifetime assumed when the issuer states none and the token shows none.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);

/// The shortest lifetime of a token. One whose issuer states 0 is held for this long, at the pace of a failure.
pub const MIN_LIFETIME: Duration = Duration::from_secs(1);

/// The longest lifetime that is believed.
pub const MAX_LIFETIME: Duration = Duration::from_secs(86_400);

/// A bearer token. It cannot be printed, cloned or serialised; it is shared behind an `Arc`.
pub struct AccessToken(Arc<Spelled>);

/// Why a text is not a bearer token. It never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidToken {
    /// No characters at all.
    Empty,
    /// More than [`MAX_TOKEN_LEN`] bytes.
    TooLong,
    /// A character other than `!` to `~`: RFC 6749 section A.12 without the space, which would end a token in a header or a
    /// shell's word. Real issuers use all of them, and not only `b64token` of RFC 6750 section 2.1.
    Characters,
}

/// What an issuer granted: the token and the lifetime it stated for it.
#[derive(Debug)]
pub struct Grant {
    /// The token.
    pub token: AccessToken,
    /// The lifetime from the moment of the request: the earlier of what the answer states and what the token shows. `None`
    /// when neither can be used; zero when the answer states that, and the token shows none.
    pub lifetime: Option<Duration>,
    /// Whether the answer itself stated a lifetime.
    pub stated: bool,
    /// How long the token holds by the end that it shows itself, from the moment of the request; without a date in the
    /// answer, its whole life however old it is. No answer lets the token hold any longer.
    pub shown: Option<Duration>,
    /// The scope, where it is another one than was asked for.
    pub scope: Option<Scope>,
}

/// From when to when a token holds, on the boot clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// When the request for it was sent: network delay shortens a lifetime and never lengthens it.
    pub issued: BootInstant,
    /// The lifetime that the issuer stated, clamped to 1 s … 24 h; what the schedule counts in.
    pub lifetime: Duration,
    /// When we stop serving it: the end of the lifetime less a reserve of min(30 s, 5 %).
    pub expires: BootInstant,
}

// === impl Grant ===

impl Grant {
    /// This token, of which nothing else is said.
    pub const fn of(token: AccessToken) -> Self {
        Self {
            token,
            lifetime: None,
            stated: false,
            shown: None,
            scope: None,
        }
    }

    /// The same with this lifetime in place of what the answer states. The token holds no longer than it shows itself.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        let least = self.shown.map_or(lifetime, |shown| shown.min(lifetime));
        (self.lifetime, self.stated) = (Some(least), true);
        self
    }

    /// Whether the token ends in the very second of the answer, by the issuer's own clock.
    pub fn is_ending(&self) -> bool {
        self.shown.is_some_and(|left| left.is_zero())
    }

    /// Whether the issuer states that the token holds for no time. Nothing says then for how long it holds.
    pub fn is_of_no_time(&self) -> bool {
        self.lifetime.is_some_and(|lifetime| lifetime.is_zero()) && self.shown.is_none()
    }
}

// === impl AccessToken ===

impl AccessToken {
    /// Takes a token that has only the printable characters of ASCII, and no space.
    ///
    /// # Errors
    /// [`InvalidToken`] tells what is wrong, without the text.
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
        Ok(Self(Arc::new(Spelled::new(text))))
    }

    /// The token's text, for the bytes of an answer that was asked for.
    pub fn expose(&self) -> &str {
        self.0.expose(Spelling::Plain)
    }

    /// The token as it stands in JSON, between the quotes: `"` and `\` are escaped.
    pub fn expose_json(&self) -> &str {
        self.0.expose(Spelling::Json)
    }

    /// The same token for a call that outlives this holder. Its text is not copied.
    #[must_use]
    pub fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Where the token begins in an answer, and its bytes there, which are not copied: any number of unread answers holds
    /// them once. `None` if the answer has it in neither spelling.
    fn find_shared(&self, answer: &[u8]) -> Option<(usize, Bytes)> {
        self.0.find_shared(answer)
    }

    /// Its bytes as JSON spells it, which are not copied.
    fn share_in_json(&self) -> Bytes {
        self.0.shared(Spelling::Json)
    }

    /// Its SHA-256, by which somebody names it who will not send it.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.expose()).into()
    }
}

impl PartialEq for AccessToken {
    /// Compares every byte of both whatever the outcome, so that the time tells nothing but the length.
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
    /// The validity of a token requested at `sent` with the `stated` lifetime: clamped to 1 s … 24 h, and less
    /// min(30 s, 5 %) so that a token handed out in its last moment still holds when it arrives.
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

    /// The validity once the issuer gave the same token again at `sent`, `stated` being the lifetime that it stated now;
    /// and whether that is an extension, which is more than two requests of different speed make of one end.
    ///
    /// Where it is none, the lifetime stays the whole one and the end follows the answer: the reserve shrinks with what
    /// is left. The smallest lifetime is no word for more than was known, since an issuer's 0 is read as one too: it would
    /// be served past its end.
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

    /// How long it still holds at `now`.
    pub const fn remaining(&self, now: BootInstant) -> Duration {
        self.expires.since(now)
    }

    /// Whether it still holds at `now`.
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
    fn only_printable_ascii_without_a_space_is_taken_as_a_token() {
        let all: String = ('!'..='~').collect();
        assert_eq!(all.len(), 94);
        for good in [
            "a",
            "eyJ.x-_~+/=",
            // As Salesforce, Amazon and eBay give them.
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
    fn a_token_does_not_show_itself() {
        let token = AccessToken::parse("canary-token").unwrap();
        assert!(!format!("{token:?} {token:#?}").contains("canary"));
    }

    #[test]
    fn the_expiry_keeps_a_reserve_of_at_most_30_s_or_5_percent() {
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
    fn the_same_token_again_keeps_its_lifetime_and_takes_the_end_that_is_stated() {
        let first = Validity::new(boot(0), Some(Duration::from_secs(3_600)));
        for (sent, stated, expires, extended) in [
            (1_800, 1_800, 3_570_000, false),
            // The reserve shrinks with what is left.
            (3_500, 100, 3_595_000, false),
            // Rounding and the time on the way are no extension.
            (1_800, 1_810, 3_580_000, false),
            (1_800, 1_811, 3_581_000, true),
            (1_800, 3_600, 5_370_000, true),
            // The issuer's word counts for less, too.
            (1_800, 60, 1_857_000, false),
            (1_800, 0, 1_800_950, false),
            // A 0 is read as 1 s, and is no reason to serve it any longer.
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
    fn what_is_left_of_a_token_of_a_second_is_no_extension_of_it() {
        let first = Validity::new(boot(0), Some(Duration::from_secs(1)));
        let later = BootInstant::from_boot(Duration::from_millis(800));
        for stated in [0, 1] {
            let (again, extended) = first.again(later, Duration::from_secs(stated));
            assert_eq!((again.expires, extended), (boot(1), false), "{stated}");
        }
    }
}
