//! The machine's clocks: those of all tests, and what planted bugs make of them.

use std::time::Duration;

use jetond::clock::{Clock, Reading, Waiting};
use jetond::instant::{BootInstant, Now, UnixTime};
use tokio::sync::watch;

use self::testing::{TestClock, WALL, moved};
use crate::bug::Bug;
use crate::history::At;

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

    /// The clocks of a machine whose boot clock shows this now.
    pub(crate) fn booted_at(boot: BootInstant) -> Self {
        Self {
            machine: TestClock::booted_at(boot),
            bug: None,
        }
    }

    /// This moment, as it is and whatever the daemon is made to believe.
    pub(crate) fn at(&self) -> At {
        let Reading { now, running } = self.machine.read();
        At {
            run: running,
            boot: now.boot,
        }
    }

    /// The machine sleeps: only the boot clock and the wall clock go on.
    pub(crate) fn suspend(&self, by: Duration) {
        self.machine.suspend(by);
    }

    /// Somebody sets the wall clock.
    pub(crate) fn jump(&self, seconds: i64) {
        self.machine.step(seconds);
    }

    /// What tells of each resume.
    pub(crate) fn resumes(&self) -> watch::Receiver<()> {
        self.machine.resumes()
    }
}

impl Clock for SimClock {
    fn now(&self) -> Now {
        let Reading { now, running } = self.machine.read();
        let boot = match self.bug {
            Some(Bug::MonotonicClock) => BootInstant::from_boot(running),
            Some(Bug::WallClock) => {
                // Ten years further, so that a jump back finds some time before it.
                let base = now.boot.since_boot() + WALL;
                BootInstant::from_boot(moved(base, self.machine.stepped()))
            }
            _ => now.boot,
        };
        Now { boot, ..now }
    }

    fn sleep_until(&self, at: BootInstant) -> Waiting<'_> {
        let late = Duration::from_secs(3);
        let at = if self.bug == Some(Bug::LateAlarm) {
            at.after(late)
        } else {
            at
        };
        Box::pin(self.machine.alarm(move || at.since(self.now().boot)))
    }

    fn read(&self) -> Reading {
        Reading {
            now: self.now(),
            ..self.machine.read()
        }
    }

    fn disturbed(&self) -> Waiting<'_> {
        Box::pin(async {
            let times = self.machine.unreported().await;
            tokio::time::sleep(notice(times)).await;
            self.machine.report(times);
        })
    }
}

/// One in three is noticed at once, the others within two seconds.
fn notice(times: u32) -> Duration {
    Duration::from_millis(u64::from(times % 3) * 950)
}
