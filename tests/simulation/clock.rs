//! The machine's clocks: tokio's paused one, and what it sleeps and jumps beside that.

use std::sync::Mutex;
use std::time::Duration;

use jetond::clock::{Clock, Reading, Waiting};
use jetond::instant::{BootInstant, Now, UnixTime};
use tokio::sync::watch;

use crate::bug::Bug;
use crate::history::At;

/// The wall clock at the start of a run; far enough from 1970 for jumps of ten years.
const WALL: u64 = 1_800_000_000;

pub(crate) struct SimClock {
    start: tokio::time::Instant,
    apart: Mutex<Apart>,
    resumed: watch::Sender<()>,
    disturbed: watch::Sender<u32>,
    bug: Option<Bug>,
}

/// How far the clocks are apart from tokio's.
#[derive(Clone, Copy, Default)]
struct Apart {
    slept: Duration,
    jumped: i64,
}

impl SimClock {
    pub(crate) fn new(bug: Option<Bug>) -> Self {
        Self {
            start: tokio::time::Instant::now(),
            apart: Mutex::default(),
            resumed: watch::Sender::new(()),
            disturbed: watch::Sender::new(0),
            bug,
        }
    }

    /// This moment, as it is and whatever the daemon is made to believe.
    pub(crate) fn at(&self) -> At {
        let run = self.start.elapsed();
        At {
            run,
            boot: BootInstant::from_boot(run + self.apart().slept),
        }
    }

    fn apart(&self) -> Apart {
        *self.apart.lock().unwrap()
    }

    /// The machine sleeps: only the boot clock and the wall clock go on.
    pub(crate) fn suspend(&self, by: Duration) {
        self.apart.lock().unwrap().slept += by;
        self.resumed.send_replace(());
        self.disturbed.send_modify(|times| *times += 1);
    }

    /// Somebody sets the wall clock.
    pub(crate) fn jump(&self, seconds: i64) {
        self.apart.lock().unwrap().jumped += seconds;
        self.disturbed.send_modify(|times| *times += 1);
    }

    /// What tells of each resume.
    pub(crate) fn resumes(&self) -> watch::Receiver<()> {
        self.resumed.subscribe()
    }
}

impl Clock for SimClock {
    fn now(&self) -> Now {
        let At { run, boot } = self.at();
        let jumped = self.apart().jumped;
        let boot = match self.bug {
            Some(Bug::MonotonicClock) => BootInstant::from_boot(run),
            Some(Bug::WallClock) => {
                // Ten years further, so that a jump back finds some time before it.
                let base = boot.after(Duration::from_secs(WALL));
                BootInstant::from_boot(moved(base.since_boot(), jumped))
            }
            _ => boot,
        };
        let wall = Duration::from_secs(WALL) + self.at().boot.since_boot();
        Now {
            boot,
            unix: UnixTime::from_epoch(moved(wall, jumped)),
        }
    }

    /// As a timer of the boot clock: at a resume at once when that finds it overdue, for tokio's stood still meanwhile.
    fn sleep_until(&self, at: BootInstant) -> Waiting<'_> {
        Box::pin(async move {
            let late = Duration::from_secs(3);
            let at = if self.bug == Some(Bug::LateAlarm) {
                at.after(late)
            } else {
                at
            };
            let mut resumed = self.resumes();
            loop {
                let left = at.since(self.now().boot);
                if left.is_zero() {
                    return;
                }
                tokio::select! { biased;
                    _ = resumed.changed() => {}
                    () = tokio::time::sleep(left) => {}
                }
            }
        })
    }

    fn read(&self) -> Reading {
        Reading {
            now: self.now(),
            running: self.at().run,
        }
    }

    fn disturbed(&self) -> Waiting<'_> {
        let mut disturbed = self.disturbed.subscribe();
        Box::pin(async move {
            let _: Result<(), _> = disturbed.changed().await;
            let times = *disturbed.borrow();
            tokio::time::sleep(notice(times)).await;
        })
    }
}

/// One in three is noticed at once, the others within two seconds.
fn notice(times: u32) -> Duration {
    Duration::from_millis(u64::from(times % 3) * 950)
}

fn moved(time: Duration, by: i64) -> Duration {
    let far = Duration::from_secs(by.unsigned_abs());
    if by < 0 {
        time.saturating_sub(far)
    } else {
        time.saturating_add(far)
    }
}
