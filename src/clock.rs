//! The machine's clocks. Only this module reads them.

#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::ClockId;
#[cfg(target_os = "linux")]
use tokio::io::unix::AsyncFd;

use self::boot::boot_now;
use crate::instant::{BootInstant, Now, UnixTime};

#[cfg(target_os = "linux")]
mod alarms;
mod boot;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(target_os = "linux")]
mod timer;

/// The boxed future that a [`Clock`] returns for a wait.
pub type ClockWait<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The readings of all clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub struct ClockReading {
    /// The boot clock, on which decisions are based, and the wall clock, which is only shown.
    pub now: Now,
    /// How long the machine has been running since an arbitrary moment, without suspends.
    pub running: Duration,
}

/// Source of the current time, and of waits for a later one.
pub trait Clock: Send + Sync {
    /// Reads the boot clock and the wall clock.
    fn now(&self) -> Now;
    /// Reads all clocks.
    fn read(&self) -> ClockReading;
    /// Waits until the boot clock shows `at`. Time in suspend counts.
    fn sleep_until(&self, at: BootInstant) -> ClockWait<'_>;
    /// Waits until the machine may have been suspended or its wall clock set since the last call returned. Returns at
    /// most two seconds after that. The caller then reads the clocks to find out.
    fn wait_for_change(&self) -> ClockWait<'_>;
}

/// The machine's clocks, for a program that waits only rarely.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// The machine's clocks, for a daemon. Its waits on the boot clock end on time even after a suspend, and share one
/// system timer. A second timer reports suspends and steps of the wall clock.
pub struct AlarmClock {
    /// `None` if the system has no such timer, or no descriptor for it.
    #[cfg(target_os = "linux")]
    alarms: Option<alarms::Alarms>,
    /// The timer that the kernel cancels when the wall clock is set. It is kept between two waits, so that it also
    /// reports what happened in between. `None` as above.
    #[cfg(target_os = "linux")]
    steps: Option<AsyncFd<OwnedFd>>,
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        #[expect(
            clippy::disallowed_methods,
            reason = "only this file reads the wall clock"
        )]
        let unix = SystemTime::now();
        Now {
            boot: boot_now(),
            // A wall clock before 1970 counts as 1970. No decision depends on the wall clock.
            unix: UnixTime::from_epoch(unix.duration_since(UNIX_EPOCH).unwrap_or_default()),
        }
    }

    fn read(&self) -> ClockReading {
        ClockReading {
            now: self.now(),
            running: running(),
        }
    }

    fn sleep_until(&self, at: BootInstant) -> ClockWait<'_> {
        Box::pin(naps(at))
    }

    fn wait_for_change(&self) -> ClockWait<'_> {
        Box::pin(tokio::time::sleep(NAP))
    }
}

impl AlarmClock {
    /// Creates the timers. Call it on the event loop.
    pub fn start() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            alarms: alarms::Alarms::new().ok(),
            #[cfg(target_os = "linux")]
            steps: timer::cancelled_by_steps().ok(),
        }
    }
}

impl Clock for AlarmClock {
    fn now(&self) -> Now {
        SystemClock.now()
    }

    fn read(&self) -> ClockReading {
        SystemClock.read()
    }

    fn sleep_until(&self, at: BootInstant) -> ClockWait<'_> {
        Box::pin(async move {
            #[cfg(target_os = "linux")]
            if let Some(alarms) = &self.alarms
                && alarms.sleep_until(at).await.is_ok()
            {
                return;
            }
            naps(at).await;
        })
    }

    fn wait_for_change(&self) -> ClockWait<'_> {
        Box::pin(async {
            #[cfg(target_os = "linux")]
            if let Some(steps) = &self.steps
                && timer::fired(steps).await.is_ok()
            {
                return;
            }
            SystemClock.wait_for_change().await;
        })
    }
}

/// Interval between two checks of the clocks on a system without a timer that reports suspends and steps.
const NAP: Duration = Duration::from_secs(2);

/// Waits until the boot clock shows `at`, in short sleeps, because tokio's timers stand still during a suspend.
async fn naps(at: BootInstant) {
    loop {
        let left = at.since(boot_now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(NAP)).await;
    }
}

/// Reads the clock by which systemd compares moments. It does not count suspends (sd_notify(3), `MONOTONIC_USEC`).
pub fn monotonic() -> Duration {
    let t = rustix::time::clock_gettime(ClockId::Monotonic);
    Duration::new(
        u64::try_from(t.tv_sec).unwrap_or(0),
        u32::try_from(t.tv_nsec).unwrap_or(0),
    )
}

/// Returns the moment that is `limit` from now, for timers of the event loop. Do not base a lifetime on it: like those
/// timers, it stands still during a suspend.
pub fn from_now(limit: Duration) -> tokio::time::Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "only this file reads clocks; tokio's timers need tokio's time"
    )]
    let now = tokio::time::Instant::now();
    now + limit
}

/// A time limit for a blocking call. Time in suspend does not count.
#[derive(Debug, Clone, Copy)]
pub struct Countdown {
    /// The end, as a reading of [`running`].
    end: Duration,
}

impl Countdown {
    /// Starts a countdown now.
    pub fn of(limit: Duration) -> Self {
        Self {
            end: running().saturating_add(limit),
        }
    }

    /// Returns the time left, or zero once the limit has passed.
    pub fn left(self) -> Duration {
        self.end.saturating_sub(running())
    }
}

/// Returns how long the machine has been running since the first call, without suspends. It uses std's clock, which
/// does not count suspends on any system (rust#79462: `CLOCK_MONOTONIC` on Linux, and `CLOCK_UPTIME_RAW` on macOS,
/// which rustix does not offer).
fn running() -> Duration {
    #[expect(
        clippy::disallowed_methods,
        reason = "only this file reads clocks; this one is compared with the boot clock, and no lifetime uses it"
    )]
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleep_ends_at_its_deadline_or_immediately_if_that_has_passed() {
        let start = boot_now();
        for clock in [&SystemClock as &dyn Clock, &AlarmClock::start()] {
            clock
                .sleep_until(start.before(Duration::from_secs(5)))
                .await;
            let at = clock.now().boot.after(Duration::from_millis(20));
            clock.sleep_until(at).await;
            assert!(clock.now().boot >= at);
        }
    }

    #[test]
    fn the_remaining_time_of_a_countdown_stops_at_zero() {
        let left = Countdown::of(Duration::from_secs(600)).left();
        assert!((500..=600).contains(&left.as_secs()), "{left:?}");
        assert_eq!(Countdown::of(Duration::ZERO).left(), Duration::ZERO);
        assert!(Countdown::of(Duration::MAX).left() > left);
    }

    #[tokio::test(start_paused = true)]
    async fn the_test_clock_simulates_suspend_and_wall_clock_steps() {
        use testing::{TestClock, WALL};

        let secs = Duration::from_secs;
        let clock = TestClock::new();
        let start = clock.read();
        assert_eq!(start.now.unix.since_epoch(), WALL);
        tokio::time::sleep(secs(60)).await;
        clock.suspend(secs(600));
        clock.step(-5);
        let later = clock.read();
        assert_eq!(later.running - start.running, secs(60));
        assert_eq!(later.now.boot.since(start.now.boot), secs(660));
        assert_eq!(later.now.unix.since_epoch(), WALL + secs(655));

        // A timer continues after a resume. An overdue one fires at once.
        for (suspended, waited) in [(0, 90), (20, 70), (600, 10)] {
            let from = clock.running();
            let at = clock.now().boot.after(secs(90));
            let sleeper = async {
                tokio::time::sleep(secs(10)).await;
                clock.suspend(secs(suspended));
            };
            tokio::join!(clock.sleep_until(at), sleeper);
            assert_eq!(clock.running() - from, secs(waited));
        }
        let still = TestClock::still(start.now.boot);
        let at = start.now.boot.after(secs(1));
        let waited = tokio::time::timeout(secs(3_600), still.sleep_until(at)).await;
        assert!(waited.is_err(), "only a suspend moves it on");
        still.suspend(secs(1));
        still.sleep_until(at).await;
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_clock_step_timer_is_accepted_and_never_expires() {
        let steps = timer::cancelled_by_steps().unwrap();
        let wait = Duration::from_millis(50);
        let fired = tokio::time::timeout(wait, timer::fired(&steps)).await;
        assert!(fired.is_err(), "{fired:?}");
    }
}
