//! Formats Unix time as a date.

use super::UnixTime;

impl UnixTime {
    /// Formats the moment in whole seconds, rounded down: `2025-01-02T03:04:05Z` (RFC 3339).
    pub fn rfc3339(self) -> String {
        let (days, second) = (self.seconds_down() / 86_400, self.seconds_down() % 86_400);
        // Days are counted from 0000-03-01, so that a leap day ends its year; then in eras of 400 years, which are all
        // equal.
        let days = days + 719_468;
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
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_date_is_formatted_as_in_rfc_3339() {
        for (ms, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399_999, "2000-02-28T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (951_868_800_000, "2000-03-01T00:00:00Z"),
            (1_735_787_045_000, "2025-01-02T03:04:05Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ] {
            let moment = UnixTime::from_epoch(Duration::from_millis(ms));
            assert_eq!(moment.rfc3339(), date);
        }
        let _ = UnixTime::from_epoch(Duration::MAX).rfc3339();
    }
}
