//! Dates in the API's answers, without a clock.

pub(super) use crate::provider::rfc3339::seconds;

/// The day that a moment is in: `2025-01-02`.
pub(super) fn day(seconds: u64) -> String {
    // Days from 0000-03-01 on, so that a leap day ends its year; then eras of 400 years, which are all alike.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_shown_as_it_was_read() {
        for text in ["1970-01-01", "2000-02-29", "2024-12-31", "2026-11-29"] {
            assert_eq!(day(seconds(&format!("{text}T23:59:59Z")).unwrap()), text);
        }
    }
}
