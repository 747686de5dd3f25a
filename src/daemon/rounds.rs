//! The common times of all periodic checks.
//!
//! All checks run at the same times, so that several of them wake the machine only once. A daemon that can watch
//! everything needs no rounds and sets no timer for them.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::instant::BootInstant;

/// Time between two rounds.
const INTERVAL: Duration = Duration::from_secs(30);

/// Waits for the rounds, for one check.
pub(super) struct Rounds {
    clock: Arc<dyn Clock>,
    next: BootInstant,
}

impl Rounds {
    /// Starts with the next round.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let next = round_after(clock.now().boot);
        Self { clock, next }
    }

    /// Waits for the next round. Returns at once if a round has passed since the last call. Cancel safe.
    pub(super) async fn next(&mut self) {
        self.clock.sleep_until(self.next).await;
        self.next = round_after(self.clock.now().boot);
    }
}

/// Returns the first round after `now`. Rounds are at the multiples of the interval on the boot clock.
fn round_after(now: BootInstant) -> BootInstant {
    let since = now.since_boot();
    let into = Duration::from_secs(since.as_secs() % INTERVAL.as_secs())
        + Duration::from_nanos(since.subsec_nanos().into());
    now.after(INTERVAL - into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::testing::TestClock;

    #[tokio::test(start_paused = true)]
    async fn two_checks_run_in_the_same_rounds_regardless_of_their_start() {
        let secs = Duration::from_secs;
        let booted = BootInstant::from_boot(Duration::from_millis(1_000_500));
        let clock = Arc::new(TestClock::booted_at(booted));
        let shown = || clock.now().boot.since_boot();
        let mut first = Rounds::new(Arc::<TestClock>::clone(&clock));
        tokio::time::sleep(secs(7)).await;
        let mut second = Rounds::new(Arc::<TestClock>::clone(&clock));
        for round in [1_020, 1_050] {
            tokio::join!(first.next(), second.next());
            assert_eq!(shown(), secs(round));
        }
        // A check that has not waited for a while gets a round at once, and then the common ones.
        tokio::time::sleep(secs(100)).await;
        second.next().await;
        assert_eq!(shown(), secs(1_150));
        second.next().await;
        assert_eq!(shown(), secs(1_170));
    }
}
