//! The expiry of a token, from all statements in an answer and in the token. Issuers spell it in many ways and
//! contradict themselves; the earliest expiry counts.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use super::lifetime::{clamp, clamp_shown, number, plain, seconds, shown, stated, unix};
use super::rfc3339;
use crate::instant::UnixTime;

/// The members that state a lifetime in seconds. Zoho writes milliseconds into the first and seconds into the second.
const LIFETIMES: [(&str, &str); 2] = [
    ("expires_in", "expiresIn"),
    ("expires_in_sec", "expiresInSec"),
];

/// The members that are read if there are none of those, in this order.
const ENDS: [(&str, &str); 3] = [
    ("expires_on", "expiresOn"),
    ("expires_at", "expiresAt"),
    ("expires", "expires"),
];

/// The known facts about a token's expiry, relative to the moment of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExpiryFacts {
    /// The lifetime that the answer states; zero if that is the only statement.
    stated: Option<Duration>,
    /// The lifetime that the token shows; zero if it expires within the current second of the issuer's clock.
    pub(super) shown: Option<Duration>,
    /// Whether the token has expired by that clock.
    pub(super) is_over: bool,
}

// === impl Expiry ===

impl ExpiryFacts {
    /// Reads the facts. `pick` returns the raw value of a member in the endpoint's spelling. `date` is the answer's
    /// `Date`, with which points in time are compared, since our own clock may be wrong.
    pub(super) fn read<'a>(
        pick: impl Fn(&'static str, &'static str) -> Option<&'a str>,
        token: &str,
        date: Option<UnixTime>,
    ) -> Self {
        let lifetimes = LIFETIMES.into_iter();
        let lifetime = lifetimes
            .filter_map(|(snake, camel)| pick(snake, camel).and_then(stated))
            .min();
        let end = || {
            let mut ends = ENDS.into_iter();
            ends.find_map(|(snake, camel)| end(pick(snake, camel)?, date))
        };
        let shown = shown(token, date);
        Self {
            // A lifetime of zero is not a statement, so the other members are read as well.
            stated: lifetime
                .filter(|lifetime| !lifetime.is_zero())
                .or_else(end)
                .or(lifetime),
            shown: shown.map(clamp_shown),
            is_over: shown.is_some_and(|left| left < 0.0),
        }
    }

    /// Reports whether the answer states the lifetime. Zero does not count as a statement if the token shows its
    /// expiry.
    pub(super) fn is_stated(&self) -> bool {
        match self.stated {
            Some(Duration::ZERO) => self.shown.is_none(),
            stated => stated.is_some(),
        }
    }

    /// Returns the lifetime: the earlier of both expiries. Zero if the answer states zero and the token shows nothing.
    pub(super) fn lifetime(&self) -> Option<Duration> {
        let stated = self.stated.filter(|_| self.is_stated());
        stated.into_iter().chain(self.shown).min()
    }
}

/// Returns the time until an expiry in any notation: milliseconds or seconds since 1970, seconds from now, or a date.
fn end(raw: &str, date: Option<UnixTime>) -> Option<Duration> {
    /// A larger number is a point in time, not a lifetime: it is 31 years.
    const MOMENT: f64 = 1e9;
    let text: Cow<'_, str> = plain(raw)?;
    let moment = match number(&text) {
        Some(number) if number <= MOMENT => return Some(clamp(number)),
        Some(number) => unix(number)?,
        None => parsed(&text)? as f64,
    };
    Some(clamp((moment - seconds(date?)).max(0.0)))
}

/// Parses a date to seconds since 1970 (RFC 3339, or one of HTTP's own forms).
fn parsed(text: &str) -> Option<u64> {
    /// The longest accepted date, in bytes. RFC 9110 section 5.6.7 has forms of up to 33 characters.
    const MAX: usize = 64;
    if text.len() > MAX {
        return None;
    }
    rfc3339::seconds(text).or_else(|| {
        let date = httpdate::parse_http_date(text).ok()?;
        let since_epoch = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(since_epoch.as_secs())
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::provider::members::Members;

    /// The time on the issuer's clock.
    const DATE: u64 = 1_796_000_000;

    fn jwt(payload: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
    }

    /// Returns the lifetime in seconds, and the stated one, for these members and this token.
    fn read(members: &str, token: &str, is_dated: bool) -> (Option<u64>, bool) {
        let body = format!("{{{members}}}");
        let members = Members::parse(body.as_bytes()).unwrap();
        let pick = |snake, camel| members.raw(snake).or_else(|| members.raw(camel));
        let date = is_dated.then(|| UnixTime::from_epoch(Duration::from_secs(DATE)));
        let expiry = ExpiryFacts::read(pick, token, date);
        (expiry.lifetime().map(|d| d.as_secs()), expiry.is_stated())
    }

    #[test]
    fn a_stated_expiry_is_parsed_in_every_spelling() {
        for (members, dated, undated) in [
            (r#""expires_in":3600"#, Some(3_600), Some(3_600)),
            // Entra, first version: all values are texts.
            (
                r#""expires_in":"3599","ext_expires_in":"3599","expires_on":"1796009999","not_before":"1""#,
                Some(3_599),
                Some(3_599),
            ),
            // Managed identities.
            (r#""expires_on":"1796003600""#, Some(3_600), None),
            (r#""expires_on":1796003600"#, Some(3_600), None),
            (r#""expiresOn":1796003600.75"#, Some(3_600), None),
            (r#""expires_at":1796003600123"#, Some(3_600), None),
            (r#""expires_at":"1796003600123""#, Some(3_600), None),
            (r#""expires":7200"#, Some(7_200), Some(7_200)),
            (r#""expires":"7200.5""#, Some(7_200), Some(7_200)),
            (r#""expires_at":1000000000"#, Some(86_400), Some(86_400)),
            (r#""expires_at":1000000000000"#, Some(86_400), None),
            (
                r#""expires_at":"2026-11-30T01:53:20.9Z""#,
                Some(3_600),
                None,
            ),
            (r#""expires_at":"2026-11-30T00:53:20Z""#, Some(0), None),
            (
                r#""expires":"Mon, 30 Nov 2026 01:00:00 GMT""#,
                Some(400),
                None,
            ),
            (r#""expires_at":"tomorrow""#, None, None),
            (r#""expires_at":"2026-11-30T01:53:20""#, None, None),
            (r#""expires_at":true,"expires":60"#, Some(60), Some(60)),
            (r#""expires_at":null,"expires":60"#, Some(60), Some(60)),
            (r#""expires_at":-1"#, None, None),
            // The first usable member counts; unusable ones are skipped.
            (r#""expires_in":-1,"expires_at":90"#, Some(90), Some(90)),
            (r#""expires_in":30,"expires_at":90"#, Some(30), Some(30)),
            (r#""expires_in":0,"expires_at":90"#, Some(90), Some(90)),
            (r#""expires_in":0"#, Some(0), Some(0)),
            (r#""expires_in":"0.9""#, Some(0), Some(0)),
            (r#""expires_at":1795999999"#, Some(0), None),
            // Zoho.
            (
                r#""expires_in":3600000,"expires_in_sec":3600"#,
                Some(3_600),
                Some(3_600),
            ),
            (r#""scope":"a""#, None, None),
        ] {
            for (is_dated, wanted) in [(true, dated), (false, undated)] {
                let (lifetime, is_stated) = read(members, "opaque", is_dated);
                assert_eq!(lifetime, wanted, "{members} {is_dated}");
                assert_eq!(is_stated, wanted.is_some(), "{members} {is_dated}");
            }
        }
    }

    #[test]
    fn the_earlier_of_stated_and_token_expiry_counts() {
        let exp = |exp: u64| format!(r#"{{"exp":{exp},"iat":{}}}"#, DATE - 100);
        let old = jwt(&exp(DATE + 60));
        let fresh = jwt(r#"{"exp":1796003600,"iat":1796000000}"#);
        for (members, token, dated, undated) in [
            (r#""expires_in":3600"#, &old, (60, true), (160, true)),
            (r#""expires_in":30"#, &old, (30, true), (30, true)),
            (r#""expires_in":0"#, &old, (60, false), (160, false)),
            ("", &old, (60, false), (160, false)),
            (r#""expires_at":1796000030"#, &old, (30, true), (160, false)),
            (r#""expires_at":1796009999"#, &old, (60, true), (160, false)),
            (
                r#""expires_in":86400"#,
                &fresh,
                (3_600, true),
                (3_600, true),
            ),
        ] {
            for (is_dated, (lifetime, is_stated)) in [(true, dated), (false, undated)] {
                assert_eq!(
                    read(members, token, is_dated),
                    (Some(lifetime), is_stated),
                    "{members} {is_dated}"
                );
            }
        }
    }

    #[test]
    fn a_token_past_its_exp_at_the_issuers_date_is_expired() {
        for (exp, is_over) in [(DATE - 1, true), (DATE, false), (DATE + 1, false)] {
            let token = jwt(&format!(r#"{{"exp":{exp},"iat":{}}}"#, DATE - 3_600));
            let date = Some(UnixTime::from_epoch(Duration::from_secs(DATE)));
            let stated = |name, _| (name == "expires_in").then_some("3600");
            assert_eq!(
                ExpiryFacts::read(stated, &token, date).is_over,
                is_over,
                "{exp}"
            );
            assert!(!ExpiryFacts::read(stated, &token, None).is_over, "{exp}");
        }
    }
}
