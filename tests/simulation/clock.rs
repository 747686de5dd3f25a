//! The machine's clocks: those of all tests, with changes for planted bugs.

use std::time::Duration;

use jetond::clock::{Clock, ClockReading, ClockWait};
use jetond::instant::{BootInstant, Now, UnixTime};
use tokio::sync::watch;

use self::testing::{TestClock, WALL, moved};
use crate::bug::Bug;
use crate::history::Moment;

#[path = "../../src/clock/testing.rs"]
mod testing;

pub(crate) struct SimClock {
    machine: TestClock,
    bug: Option<Bug>,
}

impl SimClock {
    pub(crate) fn new(bug: Option<Bug>) -> Self {
        Self {
            bug,
            ..Self::booted_at(BootInstant::from_boot(Duration::ZERO))
        }
    }

    /// Makes the clocks of a machine whose boot clock shows this time now.
    pub(crate) fn booted_at(boot: BootInstant) -> Self {
        Self {
            machine: TestClock::booted_at(boot),
            bug: None,
        }
    }

    /// Returns the real present moment, which a bug may hide from the daemon.
    pub(crate) fn at(&self) -> Moment {
        let ClockReading { now, running } = self.machine.read();
        Moment {
            run: running,
            boot: now.boot,
        }
    }

    /// Suspends the machine: only the boot clock and the wall clock advance.
    pub(crate) fn suspend(&self, by: Duration) {
        self.machine.suspend(by);
    }

    /// Sets the wall clock.
    pub(crate) fn jump(&self, seconds: i64) {
        self.machine.step(seconds);
    }

    /// Returns a receiver of each resume.
    pub(crate) fn resumes(&self) -> watch::Receiver<()> {
        self.machine.resumes()
    }
}

impl Clock for SimClock {
    fn now(&self) -> Now {
        let ClockReading { now, running } = self.machine.read();
        let boot = match self.bug {
            Some(Bug::MonotonicClock) => BootInstant::from_boot(running),
            Some(Bug::WallClock) => {
                // This clock is ten years ahead, so that a jump back stays above zero.
                let base = now.boot.since_boot() + WALL;
                BootInstant::from_boot(moved(base, self.machine.stepped()))
            }
            _ => now.boot,
        };
        Now { boot, ..now }
    }

    fn sleep_until(&self, at: BootInstant) -> ClockWait<'_> {
        let late = Duration::from_secs(3);
        let at = if self.bug == Some(Bug::LateAlarm) {
            at.after(late)
        } else {
            at
        };
        Box::pin(self.machine.alarm(move || at.since(self.now().boot)))
    }

    fn read(&self) -> ClockReading {
        ClockReading {
            now: self.now(),
            ..self.machine.read()
        }
    }

    fn wait_for_change(&self) -> ClockWait<'_> {
        Box::pin(async {
            let times = self.machine.unreported().await;
            tokio::time::sleep(notice(times)).await;
            self.machine.report(times);
        })
    }
}

/// The daemon notices one of three suspends at once, and the others within two seconds.
fn notice(times: u32) -> Duration {
    Duration::from_millis(u64::from(times % 3) * 950)
}
