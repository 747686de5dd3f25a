//! Parses lifetimes and expiries from issuers, whose numbers are checked and never trusted.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::members::Members;
use crate::instant::UnixTime;
use crate::token::MAX_LIFETIME;

/// The longest JWT payload that is decoded, in bytes before base64: that of the longest token.
const MAX_PAYLOAD: usize = 48 * 1_024;

/// Padding is not part of a JWT (RFC 7515 section 2), but some issuers write it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Parses the lifetime that `expires_in` states, from the raw value. RFC 6749 section 5.1 requires a number, but texts
/// and numbers with a fraction or an exponent are common (its erratum 5379).
///
/// The result is within 0 s … 24 h. Zero stays zero: [`ExpiryFacts`](super::expiry::ExpiryFacts) decides what it means,
/// since zero was once mistaken for "forever". `None` if the value is not a lifetime: negative, a word, a list.
pub(super) fn stated(raw: &str) -> Option<Duration> {
    plain(raw).and_then(|text| number(&text)).map(clamp)
}

/// Returns the text of a member: the trimmed content of a string, or else the raw value. `None` for a string that is a
/// number with an exponent, and for invalid JSON.
pub(super) fn plain(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.starts_with('"') {
        return Some(Cow::Borrowed(raw));
    }
    let text: String = serde_json::from_str(raw).ok()?;
    let text = text.trim();
    let has_exponent = number(text).is_some() && text.contains(['e', 'E']);
    (!has_exponent).then(|| Cow::Owned(text.to_owned()))
}

/// Returns how long a token is valid, in seconds, by its own expiry: `exp` of a JWT (RFC 7519 section 4.1.4), minus the
/// time on the issuer's clock in the answer, and never more than the token's whole lifetime, `exp − iat`. Without a
/// date in the answer, it is the whole lifetime, however old the token may be. It is negative for an expired token.
///
/// Nothing is verified, and a token with any irregularity shows nothing. Only differences on the issuer's own clock are
/// used, so that clock need not agree with ours.
pub(super) fn shown(token: &str, date: Option<UnixTime>) -> Option<f64> {
    let payload = payload(token)?;
    let claims = Members::parse(&payload)?;
    // A later point in time is irregular, and floating-point subtraction would no longer be exact.
    let moment = |name| unix(number(claims.raw(name)?)?).filter(|at| *at < 9e15);
    let exp = moment("exp").filter(|exp| *exp > 0.0)?;
    // Older servers write the start of the validity instead of the time of issue.
    let whole = moment("iat")
        .or_else(|| moment("nbf"))
        .map(|from| exp - from);
    // Some servers write 0 for "never": an expiry before the start is no information.
    if whole.is_some_and(|whole| whole < 1.0) {
        return None;
    }
    let left = date.map(|date| exp - seconds(date));
    whole.into_iter().chain(left).min_by(f64::total_cmp)
}

/// Reads a number as Unix time in seconds. A number above 10^12 counts milliseconds.
pub(super) fn unix(number: f64) -> Option<f64> {
    if !number.is_finite() {
        return None;
    }
    Some(if number > 1e12 { number / 1e3 } else { number })
}

/// Returns whole seconds since 1970.
pub(super) fn seconds(time: UnixTime) -> f64 {
    time.seconds_down() as f64
}

/// Decodes the payload of a JWT without verification; `None` for a token of another form.
pub(super) fn payload(token: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut parts = token.splitn(4, '.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || payload.len() > MAX_PAYLOAD.div_ceil(3) * 4 {
        return None;
    }
    BASE64.decode(payload).ok().map(Zeroizing::new)
}

/// Parses a JSON number that is not negative; one beyond the range of floats is infinite. Words that Rust parses as
/// numbers ("inf", "nan") are excluded, since they do not start with a digit.
pub(super) fn number(raw: &str) -> Option<f64> {
    if !raw.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    raw.parse().ok()
}

/// Converts seconds to 0 s … 24 h, rounded down.
pub(super) fn clamp(seconds: f64) -> Duration {
    clamp_to(MAX_LIFETIME, seconds)
}

/// Converts the seconds until the token's own expiry to 0 s … 100 years, rounded down. An issuer may return the same
/// token for longer than the day that is the limit of one stated lifetime.
pub(super) fn clamp_shown(seconds: f64) -> Duration {
    const MAX_SHOWN: Duration = Duration::from_secs(100 * 365 * 86_400);
    clamp_to(MAX_SHOWN, seconds)
}

/// Clamps before it converts, because creating a `Duration` from a float panics if the value does not fit.
fn clamp_to(most: Duration, seconds: f64) -> Duration {
    if seconds >= most.as_secs_f64() {
        return most;
    }
    // A conversion with `as` saturates; below the maximum it only drops the fraction.
    Duration::from_secs(seconds as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(raw: &str) -> Option<u64> {
        stated(raw).map(|d| d.as_secs())
    }

    #[test]
    fn a_stated_lifetime_in_seconds_is_parsed_in_any_spelling() {
        for (raw, read) in [
            ("3600", 3_600),
            ("1", 1),
            ("3600.0", 3_600),
            ("3.6e3", 3_600),
            ("36E2", 3_600),
            ("3600.9", 3_600),
            ("0", 0),
            ("0.0", 0),
            ("0.5", 0),
            ("1e-400", 0),
            ("86399", 86_399),
            ("86400", 86_400),
            ("86401", 86_400),
            ("2147483648", 86_400),
            ("9223372036854775808", 86_400),
            ("18446744073709551616", 86_400),
            ("100000000000000000000000000", 86_400),
            ("1e400", 86_400),
            ("\"3600\"", 3_600),
            ("\" 3600 \"", 3_600),
            ("\"\\u0033600\"", 3_600),
            ("\"0\"", 0),
            ("\"3600.0\"", 3_600),
            ("\"3599.99\"", 3_599),
            ("\"99999999999999999999999999\"", 86_400),
        ] {
            assert_eq!(seconds(raw), Some(read), "{raw}");
        }
    }

    #[test]
    fn an_invalid_lifetime_is_ignored() {
        for raw in [
            "-1",
            "-0",
            "-1e400",
            "true",
            "false",
            "[]",
            "[3600]",
            "{}",
            "{\"a\":1}",
            "\"\"",
            "\" \"",
            "\"3600s\"",
            "\"-1\"",
            "\"+1\"",
            "\"NaN\"",
            "\"inf\"",
            "\"1e3\"",
            "\"1E3\"",
            "\"3600,5\"",
            "\"3.6.0\"",
            "\"\u{661}\"",
            "\"3 600\"",
            "\"0x10\"",
        ] {
            assert_eq!(seconds(raw), None, "{raw}");
        }
    }

    fn jwt(payload: &str) -> String {
        format!(
            "eyJhbGciOiJSUzI1NiJ9.{}.c2ln",
            BASE64.encode(payload).trim_end_matches('=')
        )
    }

    fn hint(token: &str) -> Option<Duration> {
        shown(token, None).map(clamp)
    }

    #[test]
    fn remaining_lifetime_uses_the_response_date_or_else_the_whole_lifetime() {
        const FULL: u64 = 1_700_000_000;
        for (payload, ages) in [
            (
                r#"{"exp":1700003600,"iat":1700000000}"#,
                [(None, 3_600), (Some(0), 3_600), (Some(60), 3_540)],
            ),
            // Entra's tokens are backdated by five minutes.
            (
                r#"{"exp":1700003600,"iat":1699999700}"#,
                [(None, 3_900), (Some(0), 3_600), (Some(3_599), 1)],
            ),
            // An issuer's clock that is behind does not extend the token's own lifetime.
            (
                r#"{"exp":1700003600,"iat":1700003000}"#,
                [(None, 600), (Some(0), 600), (Some(3_300), 300)],
            ),
            // IdentityServer before version 4.
            (
                r#"{"exp":1700003600,"nbf":1700000000}"#,
                [(None, 3_600), (Some(0), 3_600), (Some(3_600), 0)],
            ),
            (
                r#"{"exp":1700003600000,"iat":1700000000000}"#,
                [(None, 3_600), (Some(60), 3_540), (Some(9_999), 0)],
            ),
            (
                r#"{"exp":1700003600.75,"iat":1700000000.25}"#,
                [(None, 3_600), (Some(60), 3_540), (Some(3_600), 0)],
            ),
        ] {
            for (age, left) in ages {
                let date = age.map(|age| UnixTime::from_epoch(Duration::from_secs(FULL + age)));
                let left = Some(Duration::from_secs(left));
                let shown = shown(&jwt(payload), date).map(clamp);
                assert_eq!(shown, left, "{payload} {age:?}");
            }
        }
        let date = Some(UnixTime::from_epoch(Duration::from_secs(FULL)));
        let alone = r#"{"exp":1700003600}"#;
        assert_eq!(shown(&jwt(alone), date), Some(3_600.0));
        // Keycloak's tokens without an expiry have 0.
        assert_eq!(shown(&jwt(r#"{"exp":0}"#), date), None);
    }

    #[test]
    fn a_token_with_iat_and_exp_gives_a_lifetime_hint() {
        for (payload, read) in [
            (r#"{"exp":1700003600,"iat":1700000000}"#, 3_600),
            (r#"{"exp":1700003600.0,"iat":1.7e9}"#, 3_600),
            (r#"{"exp":1700003600.5,"iat":1700000000}"#, 3_600),
            (r#"{"exp":1700000001,"iat":1700000000}"#, 1),
            (r#"{"exp":9999999999,"iat":1700000000}"#, 86_400),
            (r#"{"exp":60,"iat":0,"name":"Zoë >>>???","aud":["a"]}"#, 60),
        ] {
            assert_eq!(
                hint(&jwt(payload)),
                Some(Duration::from_secs(read)),
                "{payload}"
            );
        }
        // The alphabet is the URL-safe one, and padding is accepted.
        assert_eq!(
            hint("e30=.eyJleHAiOjYwLCJpYXQiOjAsImEiOiI_In0=.c2ln"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(
            hint("e30.eyJleHAiOjYwLCJpYXQiOjAsImEiOiI_In0.c2ln"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(hint("e30.eyJleHAiOjYwLCJpYXQiOjAsImEiOiI/In0.c2ln"), None);
    }

    #[test]
    fn an_irregular_token_gives_no_lifetime_hint() {
        for payload in [
            "",
            "{}",
            "[]",
            "x",
            r#"{"exp":1700003600}"#,
            r#"{"iat":1700000000}"#,
            r#"{"exp":"1700003600","iat":1700000000}"#,
            r#"{"exp":-1,"iat":-100}"#,
            r#"{"exp":5,"iat":5}"#,
            r#"{"exp":5,"iat":6}"#,
            r#"{"exp":1e308,"iat":0}"#,
            r#"{"exp":1e400,"iat":1e400}"#,
            r#"{"exp":null,"iat":0}"#,
            r#"{"exp":60,"exp":60,"iat":0}"#,
            r#"{"exp":true,"iat":0}"#,
            r#"{"exp":NaN,"iat":0}"#,
            r#"{"exp":[60],"iat":0}"#,
        ] {
            assert_eq!(hint(&jwt(payload)), None, "{payload}");
        }
        let of_length = |length: usize| {
            let rest = r#"{"exp":60,"iat":0,"a":""}"#.len();
            let claim = "a".repeat(length - rest);
            jwt(&format!(r#"{{"exp":60,"iat":0,"a":"{claim}"}}"#))
        };
        // Keycloak lists every role of a client in the token.
        for length in [8_193, 30_000, 49_152] {
            assert_eq!(hint(&of_length(length)), Some(Duration::from_secs(60)));
        }
        let long = of_length(49_153);
        let good = jwt(r#"{"exp":60,"iat":0}"#);
        let good_payload = good.split('.').nth(1).unwrap();
        for odd in [
            "",
            "opaque",
            "..",
            ".",
            "a.b",
            "a.b.c",
            "a.%%%.c",
            &".".repeat(16_384),
            &long,
            &format!("{good}.x.y"),
            &format!("a.{good_payload}"),
            &format!("a.{good_payload}.b.c.d"),
        ] {
            assert_eq!(hint(odd), None, "{odd:.40}");
        }
    }
}
