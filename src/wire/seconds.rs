//! Seconds in a request's parameters.

use std::time::Duration;

/// Parses seconds in the interface's form: decimal digits, at most one point, no sign, no exponent, from 0 to `max`.
/// Fractions of a nanosecond are dropped, because the result of a program's division may have 17 digits.
pub fn seconds(text: &str, max: Duration) -> Option<Duration> {
    const MAX_DIGITS: usize = 9;
    const MAX_DECIMALS: usize = 32;
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits =
        |s: &str, most| (1..=most).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole, MAX_DIGITS) || !digits(part, MAX_DECIMALS) {
        return None;
    }
    let part = part.get(..9).unwrap_or(part);
    let nanos = part.parse::<u32>().ok()? * 10u32.pow(9 - u32::try_from(part.len()).ok()?);
    Some(Duration::new(whole.parse().ok()?, nanos)).filter(|wait| *wait <= max)
}
