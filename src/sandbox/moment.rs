//! One reading of both clocks: the one by which the sandbox judges tokens, and the one that it shows.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The farthest a clock can be set off, in seconds: a hundred years. An HTTP date ends with the year 9999, and
/// formatting a later one would panic.
pub(super) const MAX_SKEW: i64 = 3_153_600_000;

/// A moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// The runtime's monotonic clock: a step of the wall clock must not change which tokens are valid here.
    pub(super) mono: Instant,
    /// The time since 1970.
    pub(super) unix: Duration,
}

impl Moment {
    /// Now, on both clocks.
    #[expect(
        clippy::disallowed_methods,
        reason = "the sandbox is another party with clocks of its own, not a part of the daemon"
    )]
    pub(super) fn now() -> Self {
        Self {
            mono: Instant::now(),
            unix: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        }
    }

    /// The same moment for a server whose wall clock is `seconds` off.
    pub(super) fn skewed(self, seconds: i64) -> Self {
        let by = Duration::from_secs(seconds.unsigned_abs());
        let unix = if seconds < 0 {
            self.unix.saturating_sub(by)
        } else {
            self.unix.saturating_add(by)
        };
        Self { unix, ..self }
    }

    /// Whether a token of `life` issued at `born` is still valid: up to, and not at, the end of its life.
    pub(super) fn is_within(self, born: Instant, life: Duration) -> bool {
        self.mono.saturating_duration_since(born) < life
    }

    /// The wall clock as an HTTP date (RFC 9110 section 5.6.7), `later` from this moment.
    pub(super) fn http_date(self, later: Duration) -> String {
        httpdate::fmt_http_date(UNIX_EPOCH + self.unix.saturating_add(later))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_token_is_valid_for_exactly_its_life() {
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
    fn a_skewed_clock_shows_another_date_and_judges_as_before() {
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
}
