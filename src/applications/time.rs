//! Formats dates from the API's answers, without a clock.

use std::time::Duration;

use crate::instant::UnixTime;

pub(super) use crate::provider::rfc3339::seconds;

/// Returns the day of a moment: `2025-01-02`.
pub(super) fn day(seconds: u64) -> String {
    let mut date = UnixTime::from_epoch(Duration::from_secs(seconds)).rfc3339();
    date.truncate(date.find('T').unwrap_or(date.len()));
    date
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_formatted_as_it_was_parsed() {
        for text in ["1970-01-01", "2000-02-29", "2024-12-31", "2026-11-29"] {
            assert_eq!(day(seconds(&format!("{text}T23:59:59Z")).unwrap()), text);
        }
    }
}
