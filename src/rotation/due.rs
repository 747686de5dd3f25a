//! Decides when a key is rotated because of its age (`rotate-every`).

use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;

use crate::instant::UnixTime;

/// The wait after the first failed rotation.
const FIRST_RETRY: Duration = Duration::from_secs(60 * 60);

/// The longest wait after failed rotations, and the margin of the minimum `rotate-every` over four token lifetimes.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The divisor for the random spread: a key is rotated early by up to a tenth of `rotate-every`.
const SPREAD: u64 = 10;

/// The dates from which the age of a key is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// When the issuer says it created the key.
    pub created_at: Option<UnixTime>,
    /// The issuer's `Date` at the key's enrolment, from the record.
    pub enrolled_at: Option<UnixTime>,
    /// The issuer's `Date` now.
    pub date: Option<UnixTime>,
}

/// The conditions for a rotation by age, apart from the age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// Whether the profile holds a valid token.
    pub is_fresh: bool,
    /// Whether its last refresh succeeded.
    pub has_refreshed: bool,
    /// Whether a limit or the circuit breaker holds the profile's attempts back.
    pub is_held_back: bool,
    /// How many rotations failed in a row.
    pub failed: u32,
    /// The time since the last failed rotation.
    pub since_failure: Duration,
}

/// The decision when to rotate a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Now.
    Now,
    /// After this duration, unless there is an obstacle then.
    In(Duration),
    /// The key is old enough, but this obstacle must go first.
    Waits(Obstacle),
    /// The key's age is unknown, so it is not rotated by age.
    AgeUnknown,
}

/// The obstacle to a rotation that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The profile holds no valid token.
    NotFresh,
    /// The last refresh failed.
    RefreshFailed,
    /// Attempts are held back.
    HeldBack,
    /// A rotation failed; the next one may begin after this duration.
    Failed(Duration),
}

// === impl Age ===

impl Age {
    /// Returns the key's age by the issuer's clock; `None` if it is unknown.
    pub fn get(self) -> Option<Duration> {
        let born = self.created_at.or(self.enrolled_at)?;
        let now = self.date?.since_epoch();
        Some(now.saturating_sub(born.since_epoch()))
    }
}

/// The assumed lifetime of tokens if the configuration has none. Shorter lifetimes are not expected.
pub const USUAL_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Returns the minimum `rotate-every` for tokens of this lifetime: the four lifetimes of a grace period, and a day.
pub const fn least_every(lifetime: Duration) -> Duration {
    lifetime.saturating_mul(4).saturating_add(DAY)
}

/// Returns the age at which the key of this ID is rotated: `every` less up to a tenth. The result depends only on the
/// arguments, and differs between keys, so that keys which were created together are not rotated together.
pub fn rotation_age(every: Duration, lifetime: Duration, key_id: &str) -> Duration {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    key_id.hash(&mut hasher);
    // The low bits of a short text's hash vary the most.
    let part = hasher.finish() % 1_000;
    let spread = every.as_secs() / SPREAD;
    let early = spread.saturating_mul(part) / 1_000;
    let age = every.saturating_sub(Duration::from_secs(early));
    age.max(least_every(lifetime))
}

/// Decides when to rotate a key that is due at the age `rotation_age`.
pub fn due(rotation_age: Duration, age: Age, readiness: &Readiness) -> Due {
    let Some(age) = age.get() else {
        return Due::AgeUnknown;
    };
    if age < rotation_age {
        return Due::In(rotation_age.saturating_sub(age));
    }
    let retry = retry_wait(readiness.failed);
    let obstacle = if readiness.since_failure < retry {
        Obstacle::Failed(retry.saturating_sub(readiness.since_failure))
    } else if readiness.is_held_back {
        Obstacle::HeldBack
    } else if !readiness.is_fresh {
        Obstacle::NotFresh
    } else if !readiness.has_refreshed {
        Obstacle::RefreshFailed
    } else {
        return Due::Now;
    };
    Due::Waits(obstacle)
}

/// Returns the wait after this many failures in a row: 1 h, doubling up to 1 d.
fn retry_wait(failed: u32) -> Duration {
    let Some(doublings) = failed.checked_sub(1) else {
        return Duration::ZERO;
    };
    FIRST_RETRY.saturating_mul(1 << doublings.min(5)).min(DAY)
}

/// The FNV-1a hash. Unlike the standard library's hash, it is the same in every process and version.
struct Fnv(u64);

impl std::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);
    const MONTH: Duration = Duration::from_secs(30 * 86_400);

    const fn day(number: u64) -> Option<UnixTime> {
        Some(UnixTime::from_epoch(Duration::from_secs(number * 86_400)))
    }

    fn ready() -> Readiness {
        Readiness {
            is_fresh: true,
            has_refreshed: true,
            is_held_back: false,
            failed: 0,
            since_failure: Duration::ZERO,
        }
    }

    const OLD: Age = Age {
        created_at: day(100),
        enrolled_at: day(120),
        date: day(131),
    };

    #[test]
    fn the_key_age_comes_from_the_issuer_or_else_from_the_enrolment() {
        assert_eq!(OLD.get(), Some(DAY * 31));
        let enrolled = Age {
            created_at: None,
            ..OLD
        };
        assert_eq!(enrolled.get(), Some(DAY * 11));
        let unknown = [
            Age { date: None, ..OLD },
            Age {
                enrolled_at: None,
                ..enrolled
            },
        ];
        for age in unknown {
            assert_eq!(due(MONTH, age, &ready()), Due::AgeUnknown);
        }
    }

    #[test]
    fn a_key_is_rotated_at_its_age_if_its_profile_is_healthy() {
        assert_eq!(due(MONTH, OLD, &ready()), Due::Now);
        assert_eq!(due(MONTH + HOUR * 25, OLD, &ready()), Due::In(HOUR));
        type Change = fn(&mut Readiness);
        let cases: [(Change, Obstacle); 3] = [
            (|it| it.is_fresh = false, Obstacle::NotFresh),
            (|it| it.has_refreshed = false, Obstacle::RefreshFailed),
            (|it| it.is_held_back = true, Obstacle::HeldBack),
        ];
        for (change, obstacle) in cases {
            let mut readiness = ready();
            change(&mut readiness);
            assert_eq!(due(MONTH, OLD, &readiness), Due::Waits(obstacle));
        }
    }

    #[test]
    fn a_failed_rotation_is_retried_after_an_hour_doubling_up_to_a_day() {
        let waits = [0, 1, 2, 3, 5, 6, u32::MAX].map(|failed| retry_wait(failed).as_secs() / 3_600);
        assert_eq!(waits, [0, 1, 2, 4, 16, 24, 24]);
        let failed = Readiness {
            failed: 2,
            since_failure: HOUR,
            ..ready()
        };
        assert_eq!(due(MONTH, OLD, &failed), Due::Waits(Obstacle::Failed(HOUR)));
        let later = Readiness {
            since_failure: HOUR * 2,
            ..failed
        };
        assert_eq!(due(MONTH, OLD, &later), Due::Now);
    }

    #[test]
    fn keys_of_one_day_are_rotated_on_different_days() {
        let ages: Vec<_> = (0..1_000)
            .map(|n| rotation_age(MONTH, HOUR, &format!("6f1c-{n}")))
            .collect();
        let tenth = MONTH / 10;
        assert!(
            ages.iter()
                .all(|age| *age <= MONTH && *age >= MONTH - tenth)
        );
        for part in 0..10 {
            let from = MONTH - tenth + tenth / 10 * part;
            let within = ages
                .iter()
                .filter(|age| **age >= from && **age < from + tenth / 10);
            let count = within.count();
            assert!((50..=160).contains(&count), "{part}: {count}");
        }
        assert_eq!(rotation_age(MONTH, HOUR, "6f1c-1"), ages[1]);
    }

    #[test]
    fn no_key_is_rotated_before_the_minimum_rotation_interval() {
        let least = least_every(HOUR);
        assert_eq!(least, HOUR * 28);
        for key in ["a", "b", "c"] {
            assert_eq!(rotation_age(least, HOUR, key), least);
        }
    }
}
