//! The wait that an answer states (RFC 9110 section 10.2.3). These functions are pure and read no clock.

use std::time::{Duration, SystemTime};

/// The longest date that is parsed, in bytes. RFC 9110 section 5.6.7 has forms of up to 33 characters.
const MAX_DATE: usize = 64;

/// Returns the wait that `Retry-After` states; several fields are separated by line ends. A date in it is compared with
/// the answer's own `Date`: that needs no clock, and is right even if our clock is wrong.
pub(super) fn stated(retry_after: Option<&str>, date: Option<&str>) -> Option<Duration> {
    let now = date.and_then(http_date);
    let waits = waits(retry_after).filter_map(|text| {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            // Only a number that is too large does not parse; the schedule clamps it.
            return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
        }
        let wait = http_date(text)?.duration_since(now?);
        Some(wait.unwrap_or(Duration::ZERO))
    });
    waits.max()
}

/// Returns the date in `Retry-After`, in Unix time, if there is no `Date` to compare it with.
pub(super) fn until(retry_after: Option<&str>, date: Option<&str>) -> Option<Duration> {
    if date.and_then(http_date).is_some() {
        return None;
    }
    let date = waits(retry_after).filter_map(http_date).max()?;
    date.duration_since(SystemTime::UNIX_EPOCH).ok()
}

/// Returns the waits of all fields, of which the longest counts. There may be a gateway's beside the issuer's, or a
/// list of numbers, as some gateways join them.
fn waits(retry_after: Option<&str>) -> impl Iterator<Item = &str> {
    retry_after.unwrap_or_default().lines().flat_map(|field| {
        let is_date = field.bytes().any(|b| b.is_ascii_alphabetic());
        let parts = if is_date { 1 } else { usize::MAX };
        field.splitn(parts, ',').map(str::trim)
    })
}

/// Parses a date in a form of HTTP.
pub(super) fn http_date(text: &str) -> Option<SystemTime> {
    if text.len() > MAX_DATE {
        return None;
    }
    httpdate::parse_http_date(text.trim()).ok()
}
