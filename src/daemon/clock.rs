//! The only file that reads the machine's clocks.

use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::instant::{BootInstant, UnixTime};
use crate::wire::Now;

/// Something that tells the time and waits for it.
pub trait Clock: Send + Sync {
    /// Both clocks at this moment.
    fn now(&self) -> Now;
    /// Waits until the boot clock shows `at`, however long the machine is suspended meanwhile.
    fn sleep_until(&self, at: BootInstant) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Now {
        #[expect(
            clippy::disallowed_methods,
            reason = "this file is where the wall clock is read"
        )]
        let unix = SystemTime::now();
        Now {
            boot: boot_now(),
            // A wall clock before 1970 is shown as 1970: nothing is decided by it.
            unix: UnixTime::from_epoch(unix.duration_since(UNIX_EPOCH).unwrap_or_default()),
        }
    }

    fn sleep_until(&self, at: BootInstant) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            #[cfg(target_os = "linux")]
            if timer::boot_alarm(at).await.is_ok() {
                return;
            }
            naps(at).await;
        })
    }
}

/// Waits in short naps: where no timer counts through suspend, somebody has to look at the clock again and again.
async fn naps(at: BootInstant) {
    const NAP: Duration = Duration::from_secs(2);
    loop {
        let left = at.since(boot_now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(NAP)).await;
    }
}

/// The time since the machine started, suspend included.
fn boot_now() -> BootInstant {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    // On macOS CLOCK_MONOTONIC counts sleep too (clock_gettime(3): it is mach_continuous_time).
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let t = rustix::time::clock_gettime(clock);
    BootInstant::from_boot(Duration::new(
        u64::try_from(t.tv_sec).unwrap_or(0),
        u32::try_from(t.tv_nsec).unwrap_or(0),
    ))
}

#[cfg(target_os = "linux")]
mod timer {
    use std::io;
    use std::os::fd::OwnedFd;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;

    use crate::instant::BootInstant;

    /// Waits on a timer of the boot clock, which fires at once when a resume finds it overdue; the timers of tokio and
    /// std stand still in suspend (tokio#3185).
    pub(super) async fn boot_alarm(at: BootInstant) -> io::Result<()> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd: OwnedFd = timerfd_create(TimerfdClockId::Boottime, flags)?;
        let since_boot = at.since_boot();
        let alarm = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: Timespec {
                tv_sec: i64::try_from(since_boot.as_secs()).unwrap_or(i64::MAX),
                // Zero would disarm it: the first nanosecond after boot is as good.
                tv_nsec: i64::from(since_boot.subsec_nanos().max(1)),
            },
        };
        timerfd_settime(&fd, TimerfdTimerFlags::ABSTIME, &alarm)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe for types whose descriptor may change under it; an OwnedFd keeps its own"
        )]
        let fd = AsyncFd::new(fd)?;
        fd.readable().await?.retain_ready();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleeping_ends_at_the_moment_and_at_once_when_it_is_past() {
        let clock = SystemClock;
        let start = clock.now().boot;
        clock
            .sleep_until(start.before(Duration::from_secs(5)))
            .await;
        let at = start.after(Duration::from_millis(20));
        clock.sleep_until(at).await;
        assert!(clock.now().boot >= at);
        naps(at.after(Duration::from_millis(5))).await;
        assert!(clock.now().boot >= at.after(Duration::from_millis(5)));
    }
}
