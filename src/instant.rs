//! Two kinds of time that must never be mixed: the boot clock, on which decisions depend, and Unix time, which is
//! shown.

use std::time::Duration;

mod date;

/// A moment on the boot clock: the time since the machine started, suspend included (`CLOCK_BOOTTIME`).
///
/// Lifetimes are measured on it, because the monotonic clock stops during suspend and the wall clock can be set
/// (tokio#3185, rust#87906): with either, an expired token could be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootInstant(Duration);

/// A moment in Unix time, for people and programs to read. No decision depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(Duration);

/// The clock of another machine, read once.
///
/// Its reading is stored relative to the boot clock, so it can be extrapolated even if our own wall clock was set
/// since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteClock {
    showed: UnixTime,
    at: BootInstant,
}

/// The two clocks at one moment, for showing boot moments in Unix time.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The boot clock.
    pub boot: BootInstant,
    /// The wall clock.
    pub unix: UnixTime,
}

// === impl BootInstant ===

impl BootInstant {
    /// Creates the moment `since_boot` after the machine's start.
    pub const fn from_boot(since_boot: Duration) -> Self {
        Self(since_boot)
    }

    /// Returns the time since the machine's start.
    pub const fn since_boot(self) -> Duration {
        self.0
    }

    /// Returns the moment `by` after this one. It saturates, so the sum never overflows.
    #[must_use]
    pub const fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }

    /// Returns the moment `by` before this one, but not before the machine's start.
    #[must_use]
    pub const fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(by))
    }

    /// Returns the time from `earlier` to this moment; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

// === impl UnixTime ===

impl UnixTime {
    /// Creates the moment `since_epoch` after 1970.
    pub const fn from_epoch(since_epoch: Duration) -> Self {
        Self(since_epoch)
    }

    /// Returns the time since 1970.
    pub const fn since_epoch(self) -> Duration {
        self.0
    }

    /// Returns whole seconds since 1970, rounded down: right for an expiry, which must not seem later than it is.
    pub const fn seconds_down(self) -> u64 {
        self.0.as_secs()
    }

    /// Returns whole seconds since 1970, rounded up: right for a retry, which must not seem earlier than it is.
    pub const fn seconds_up(self) -> u64 {
        if self.0.subsec_nanos() == 0 {
            self.0.as_secs()
        } else {
            self.0.as_secs().saturating_add(1)
        }
    }

    /// Converts the boot moment `at` to Unix time, given the readings of both clocks at one moment.
    #[must_use]
    pub const fn of_boot(at: BootInstant, boot_now: BootInstant, unix_now: Self) -> Self {
        Self(
            unix_now
                .0
                .saturating_add(at.since(boot_now))
                .saturating_sub(boot_now.since(at)),
        )
    }
}

// === impl RemoteClock ===

impl RemoteClock {
    /// Creates the clock of a machine that showed `date`, cut to whole seconds (RFC 9110 section 6.6.1), at some moment
    /// between `from` and `to`. The middle of both is the best estimate.
    pub fn read(date: UnixTime, from: BootInstant, to: BootInstant) -> Self {
        Self {
            showed: UnixTime(date.0.saturating_add(Duration::from_millis(500))),
            at: from.after(to.since(from) / 2),
        }
    }

    /// Returns by how many seconds it is ahead of the wall clock, which shows `unix_now` at `boot_now`; negative if it
    /// is behind.
    pub fn ahead_of(&self, boot_now: BootInstant, unix_now: UnixTime) -> i64 {
        let shows = self.showed.0.saturating_add(boot_now.since(self.at));
        let seconds = |by: Duration| {
            // The cut date leaves half a second of uncertainty.
            let nearest = by.saturating_add(Duration::from_millis(499));
            i64::try_from(nearest.as_secs()).unwrap_or(i64::MAX)
        };
        if shows >= unix_now.0 {
            seconds(shows - unix_now.0)
        } else {
            -seconds(unix_now.0 - shows)
        }
    }
}

// === impl Now ===

impl Now {
    /// Converts a boot moment to Unix time.
    pub const fn unix_of(&self, at: BootInstant) -> UnixTime {
        UnixTime::of_boot(at, self.boot, self.unix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn boot(s: u64) -> BootInstant {
        BootInstant::from_boot(Duration::from_secs(s))
    }

    #[test]
    fn instant_arithmetic_saturates_instead_of_panicking() {
        let end = boot(5).after(Duration::MAX);
        assert_eq!(end.since_boot(), Duration::MAX);
        assert_eq!(boot(5).before(Duration::MAX), boot(0));
        assert_eq!(boot(5).since(boot(9)), Duration::ZERO);
    }

    #[test]
    fn boot_instants_before_and_after_now_convert_to_unix_time() {
        let unix = UnixTime::from_epoch(Duration::from_secs(1_000));
        assert_eq!(
            UnixTime::of_boot(boot(70), boot(50), unix).seconds_down(),
            1_020
        );
        assert_eq!(
            UnixTime::of_boot(boot(20), boot(50), unix).seconds_down(),
            970
        );
    }

    #[test]
    fn the_remote_clock_skew_is_correct_after_wall_clock_steps() {
        let unix = |s| UnixTime::from_epoch(Duration::from_secs(s));
        let clock = RemoteClock::read(unix(1_000), boot(50), boot(52));
        // It shows about 1,000.5 s at 51 s since the start, and runs on.
        for (now, ours, ahead) in [
            (51, 1_000, 0),
            (51, 1_001, 0),
            (151, 1_100, 0),
            (151, 1_160, -59),
            (151, 0, 1_100),
            (151, 1_800_000_000, -1_799_998_899),
            (51, u64::MAX, i64::MIN + 1),
        ] {
            assert_eq!(clock.ahead_of(boot(now), unix(ours)), ahead, "{now} {ours}");
        }
        let absurd = RemoteClock::read(UnixTime::from_epoch(Duration::MAX), boot(9), boot(5));
        assert_eq!(absurd.ahead_of(boot(9), unix(0)), i64::MAX);
    }

    #[test]
    fn an_expiry_is_rounded_down_and_a_retry_time_up() {
        let t = UnixTime::from_epoch(Duration::from_millis(1_500));
        assert_eq!((t.seconds_down(), t.seconds_up()), (1, 2));
        let whole = UnixTime::from_epoch(Duration::from_secs(3));
        assert_eq!((whole.seconds_down(), whole.seconds_up()), (3, 3));
    }
}
