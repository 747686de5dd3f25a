//! A reading of two clocks: the one that decides whether tokens are valid, and the one that answers show.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::instant::UnixTime;

/// The maximum error of a clock, in seconds: a hundred years. HTTP dates end with the year 9999, and formatting a
/// later one would panic.
pub(super) const MAX_SKEW: i64 = 3_153_600_000;

/// A moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// The runtime's monotonic clock: a step of the wall clock must not change which tokens are valid.
    pub(super) mono: Instant,
    /// The time since 1970.
    pub(super) unix: Duration,
}

impl Moment {
    /// Returns the present moment.
    #[expect(
        clippy::disallowed_methods,
        reason = "the sandbox has its own clocks, as an issuer on another machine has"
    )]
    pub(super) fn now() -> Self {
        Self {
            mono: Instant::now(),
            unix: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        }
    }

    /// Returns the moment for a server whose wall clock is `seconds` off.
    pub(super) fn skewed(self, seconds: i64) -> Self {
        let by = Duration::from_secs(seconds.unsigned_abs());
        let unix = if seconds < 0 {
            self.unix.saturating_sub(by)
        } else {
            self.unix.saturating_add(by)
        };
        Self { unix, ..self }
    }

    /// Returns the moment `by` later, on both clocks.
    pub(super) fn later(self, by: Duration) -> Self {
        Self {
            mono: self.mono + by,
            unix: self.unix.saturating_add(by),
        }
    }

    /// Returns whether a token of lifetime `life` from `born` is valid. The lifetime's end is not included.
    pub(super) fn is_within(self, born: Instant, life: Duration) -> bool {
        self.mono.saturating_duration_since(born) < life
    }

    /// Formats the wall clock as an HTTP date (RFC 9110 section 5.6.7), `later` after this moment.
    pub(super) fn http_date(self, later: Duration) -> String {
        httpdate::fmt_http_date(UNIX_EPOCH + self.unix.saturating_add(later))
    }
}

/// Formats a time since 1970 as the control plane does: `2025-01-02T03:04:05.678Z` (RFC 3339).
pub(super) fn rfc3339(unix: Duration) -> String {
    let seconds = UnixTime::from_epoch(unix).rfc3339();
    let seconds = seconds.trim_end_matches('Z');
    format!("{seconds}.{:03}Z", unix.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_token_is_valid_for_exactly_its_lifetime() {
        let now = Moment::now();
        let life = SECOND * 10;
        let at = |after| Moment {
            mono: now.mono + after,
            ..now
        };
        assert!(at(Duration::ZERO).is_within(now.mono, life));
        assert!(at(life - Duration::from_nanos(1)).is_within(now.mono, life));
        assert!(!at(life).is_within(now.mono, life));
        assert!(!at(life * 1_000).is_within(now.mono, life));
    }

    #[test]
    fn a_skewed_clock_changes_the_date_but_not_token_validity() {
        let now = Moment {
            unix: SECOND * 1_000,
            ..Moment::now()
        };
        assert_eq!(now.skewed(-600).unix, SECOND * 400);
        assert_eq!(now.skewed(-6_000).unix, Duration::ZERO);
        assert_eq!(now.skewed(600).mono, now.mono);
        assert_eq!(
            now.skewed(-990).http_date(SECOND),
            "Thu, 01 Jan 1970 00:00:11 GMT"
        );
        let _ = Moment::now().skewed(MAX_SKEW).http_date(SECOND * u32::MAX);
    }

    #[test]
    fn dates_are_formatted_as_in_rfc_3339() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00.678Z"),
            (951_782_399, "2000-02-28T23:59:59.678Z"),
            (951_782_400, "2000-02-29T00:00:00.678Z"),
            (951_868_800, "2000-03-01T00:00:00.678Z"),
            (1_735_787_045, "2025-01-02T03:04:05.678Z"),
            (4_107_542_400, "2100-03-01T00:00:00.678Z"),
        ] {
            assert_eq!(rfc3339(Duration::from_millis(seconds * 1_000 + 678)), date);
        }
    }
}
