//! Clock of all tests that control the time: the unit tests and the simulation, which run on tokio's paused time, and
//! the interleavings, in which time stands still.
//!
//! Each of them compiles this file with `#[path]`, in a module whose parent provides the items that it uses from
//! `super`. No feature of the library includes the file, so no build of the program can contain it. The interleavings
//! also need it compiled against their scheduler's tokio.
#![allow(
    dead_code,
    clippy::disallowed_methods,
    reason = "each user of this file needs a part of it, and its clock is tokio's paused one"
)]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{BootInstant, Clock, ClockReading, ClockWait, Now, UnixTime};

/// Initial time of the wall clock, far enough from 1970 for steps of ten years.
pub(crate) const WALL: Duration = Duration::from_secs(1_800_000_000);

/// A clock with suspends and wall-clock steps that the test controls.
pub(crate) struct TestClock {
    /// The moment of creation in tokio's time, or `None` for a clock that stands still.
    start: Option<Instant>,
    /// The boot clock's reading at that moment.
    booted: BootInstant,
    apart: Mutex<ClockOffsets>,
    resumed: watch::Sender<()>,
    disturbed: watch::Sender<u32>,
    /// Number of suspends and steps that waits have reported so far.
    reported: Mutex<u32>,
}

/// Offsets of the boot clock and the wall clock from the machine's running time.
#[derive(Clone, Copy, Default)]
struct ClockOffsets {
    suspended: Duration,
    /// Seconds by which the wall clock was set forward, or back if negative.
    stepped: i64,
}

impl TestClock {
    /// Creates a clock that follows tokio's time, on a machine that started a while ago.
    pub(crate) fn new() -> Self {
        Self::booted_at(BootInstant::from_boot(Duration::from_secs(1_000)))
    }

    /// Creates a clock that follows tokio's time. The boot clock shows `booted` now.
    pub(crate) fn booted_at(booted: BootInstant) -> Self {
        Self {
            start: Some(Instant::now()),
            ..Self::still(booted)
        }
    }

    /// Creates a clock that stands still except for suspends. A wait for a later moment ends with a suspend or never.
    pub(crate) fn still(booted: BootInstant) -> Self {
        Self {
            start: None,
            booted,
            apart: Mutex::default(),
            resumed: watch::channel(()).0,
            disturbed: watch::channel(0).0,
            reported: Mutex::default(),
        }
    }

    /// Returns how long the machine has been running, without suspends.
    pub(crate) fn running(&self) -> Duration {
        self.start.map_or(Duration::ZERO, |start| start.elapsed())
    }

    /// Suspends the machine for `by`. The boot clock and the wall clock advance, and tokio's time does not.
    pub(crate) fn suspend(&self, by: Duration) {
        self.set_apart(|apart| apart.suspended += by);
        self.resumed.send_replace(());
        self.disturbed.send_modify(|times| *times += 1);
    }

    /// Sets the wall clock forward by this many seconds, or backward if negative.
    pub(crate) fn step(&self, seconds: i64) {
        self.set_apart(|apart| apart.stepped += seconds);
        self.disturbed.send_modify(|times| *times += 1);
    }

    /// Returns the sum of all steps of the wall clock, in seconds.
    pub(crate) fn stepped(&self) -> i64 {
        self.apart().stepped
    }

    /// Returns a receiver that is notified of each resume.
    pub(crate) fn resumes(&self) -> watch::Receiver<()> {
        self.resumed.subscribe()
    }

    /// Waits until there is an unreported suspend or step. Returns the number of all suspends and steps so far.
    pub(crate) async fn unreported(&self) -> u32 {
        let mut disturbed = self.disturbed.subscribe();
        loop {
            let times = *disturbed.borrow_and_update();
            if times != *self.reported() {
                return times;
            }
            // It cannot fail: the clock keeps the sender.
            let _: Result<(), _> = disturbed.changed().await;
        }
    }

    /// Marks the first `times` suspends and steps as reported.
    pub(crate) fn report(&self, times: u32) {
        *self.reported() = times;
    }

    fn reported(&self) -> MutexGuard<'_, u32> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits like a timer on the boot clock, until `left` returns zero. Calls `left` again after each resume, because
    /// tokio's timers stand still during a suspend.
    pub(crate) async fn alarm(&self, left: impl Fn() -> Duration) {
        let mut resumed = self.resumes();
        loop {
            let left = left();
            if left.is_zero() {
                return;
            }
            tokio::select! { biased;
                _ = resumed.changed() => {}
                () = tokio::time::sleep(left), if self.start.is_some() => {}
            }
        }
    }

    fn apart(&self) -> ClockOffsets {
        *self.apart.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_apart(&self, set: impl FnOnce(&mut ClockOffsets)) {
        set(&mut self.apart.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Clock for TestClock {
    fn now(&self) -> Now {
        let ClockOffsets { suspended, stepped } = self.apart();
        let since = self.running() + suspended;
        Now {
            boot: self.booted.after(since),
            unix: UnixTime::from_epoch(moved(WALL + since, stepped)),
        }
    }

    fn read(&self) -> ClockReading {
        ClockReading {
            now: self.now(),
            running: self.running(),
        }
    }

    fn sleep_until(&self, at: BootInstant) -> ClockWait<'_> {
        Box::pin(self.alarm(move || at.since(self.now().boot)))
    }

    fn wait_for_change(&self) -> ClockWait<'_> {
        Box::pin(async {
            let times = self.unreported().await;
            self.report(times);
        })
    }
}

/// Moves a time forward by this many seconds, or back if negative.
pub(crate) fn moved(time: Duration, by: i64) -> Duration {
    let far = Duration::from_secs(by.unsigned_abs());
    if by < 0 {
        time.saturating_sub(far)
    } else {
        time.saturating_add(far)
    }
}
