//! Notices when the machine was suspended or its wall clock was set.
//!
//! This does not decide whether a token is served: each answer checks its expiry on the boot clock. But after a suspend
//! the connections of running attempts are dead without an error, and times that were shown are wrong.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, ClockReading};
use crate::instant::BootInstant;

/// Shortest suspend that counts. The readings of two clocks, one after the other, differ by less.
const LEAST_SUSPEND: Duration = Duration::from_secs(2);

/// Smallest step of the wall clock that counts. NTP corrects smaller errors gradually.
const LEAST_STEP: Duration = Duration::from_secs(1);

/// A suspend of the machine, a step of its wall clock, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump {
    /// Duration of the suspend, if there was one.
    pub suspended: Option<Duration>,
    /// Seconds by which the wall clock was set forward, or back if negative, if it was set.
    pub stepped: Option<i64>,
}

/// Compares the clocks with their previous readings.
pub struct Jumps {
    clock: Arc<dyn Clock>,
    before: ClockReading,
}

impl Jumps {
    /// Takes the first readings now.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let before = clock.read();
        Self { clock, before }
    }

    /// Waits until the clocks may have jumped, at most for `limit`. Returns the jump if there was one.
    pub async fn look(&mut self, limit: Option<Duration>) -> Option<Jump> {
        let disturbed = self.clock.wait_for_change();
        match limit {
            // After the wait, whether it succeeded or timed out, the clocks show whether there was a jump.
            Some(limit) => drop(tokio::time::timeout(limit, disturbed).await),
            None => disturbed.await,
        }
        let now = self.clock.read();
        let before = std::mem::replace(&mut self.before, now);
        jump(&before, &now)
    }

    /// Waits for the next jump.
    pub async fn next(&mut self) -> Jump {
        loop {
            if let Some(jump) = self.look(None).await {
                return jump;
            }
        }
    }

    /// Returns the moment of the last check.
    pub const fn now(&self) -> BootInstant {
        self.before.now.boot
    }
}

/// Computes the jump between two readings of all clocks, if there was one.
fn jump(before: &ClockReading, now: &ClockReading) -> Option<Jump> {
    let run = now.now.boot.since(before.now.boot);
    let suspended = run.saturating_sub(now.running.saturating_sub(before.running));
    let (was, is) = (before.now.unix.since_epoch(), now.now.unix.since_epoch());
    let expected = was.saturating_add(run);
    let forward = is.saturating_sub(expected);
    let back = expected.saturating_sub(is);
    let seconds = |by: Duration| i64::try_from(by.as_secs()).unwrap_or(i64::MAX);
    let stepped = if forward >= LEAST_STEP {
        Some(seconds(forward))
    } else if back >= LEAST_STEP {
        Some(-seconds(back))
    } else {
        None
    };
    let suspended = Some(suspended).filter(|by| *by >= LEAST_SUSPEND);
    (suspended.is_some() || stepped.is_some()).then_some(Jump { suspended, stepped })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::testing::TestClock;
    use crate::instant::{Now, UnixTime};

    fn reading(boot_ms: u64, unix_ms: u64, running_ms: u64) -> ClockReading {
        let ms = Duration::from_millis;
        ClockReading {
            now: Now {
                boot: BootInstant::from_boot(ms(boot_ms)),
                unix: UnixTime::from_epoch(ms(unix_ms)),
            },
            running: ms(running_ms),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_jump_is_detected_immediately_and_reported_once() {
        let clock = Arc::new(TestClock::new());
        let mut jumps = Jumps::new(Arc::<TestClock>::clone(&clock));
        let mut next = async || {
            let start = clock.read().running;
            let noticed = tokio::time::timeout(Duration::from_secs(600), jumps.next()).await;
            noticed
                .map(|jump| (jump, clock.read().running - start))
                .ok()
        };
        assert_eq!(next().await, None);
        let later = Arc::clone(&clock);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(7)).await;
            later.suspend(Duration::from_secs(14_400));
            tokio::time::sleep(Duration::from_secs(5)).await;
            later.step(-600);
        });
        let asleep = Jump {
            suspended: Some(Duration::from_secs(14_400)),
            stepped: None,
        };
        assert_eq!(next().await, Some((asleep, Duration::from_secs(7))));
        let set = Jump {
            suspended: None,
            stepped: Some(-600),
        };
        assert_eq!(next().await, Some((set, Duration::from_secs(5))));
        // A step that was made while no wait was running is noticed at once.
        clock.step(3);
        let (jump, after) = next().await.unwrap();
        assert_eq!((jump.stepped, after.as_secs()), (Some(3), 0));
        // A check with a limit ends without a jump.
        assert_eq!(jumps.look(Some(Duration::from_secs(60))).await, None);
    }

    #[test]
    fn a_suspend_moves_the_boot_clock_and_a_step_moves_the_wall_clock() {
        const YEARS: u64 = 10 * 365 * 86_400;
        let before = reading(5_000, 1_800_000_000_000, 1_000);
        for (boot, unix, running, suspended, stepped) in [
            // Only time has passed. The clocks were read one after the other.
            (65_000, 1_800_000_060_000, 61_000, None, None),
            (66_900, 1_800_000_062_800, 61_000, None, None),
            // Suspended for eight hours.
            (
                5_000 + 28_800_000,
                1_800_028_800_000,
                1_000,
                Some(28_800),
                None,
            ),
            // Set forward by a second and by ten years, then back to the epoch.
            (6_000, 1_800_000_002_000, 2_000, None, Some(1)),
            (
                6_000,
                1_800_000_001_000 + YEARS * 1_000,
                2_000,
                None,
                Some(YEARS as i64),
            ),
            (
                6_000,
                1_800_000_001_000 - YEARS * 1_000,
                2_000,
                None,
                Some(-(YEARS as i64)),
            ),
            (6_000, 0, 2_000, None, Some(-1_800_000_001)),
            // Both: the wall clock stood still during a suspend.
            (
                3_605_000,
                1_800_000_000_000,
                1_000,
                Some(3_600),
                Some(-3_600),
            ),
        ] {
            let found = jump(&before, &reading(boot, unix, running));
            let wanted = Jump {
                suspended: suspended.map(Duration::from_secs),
                stepped,
            };
            let none = suspended.is_none() && stepped.is_none();
            assert_eq!(found, (!none).then_some(wanted), "{boot} {unix} {running}");
        }
    }
}
