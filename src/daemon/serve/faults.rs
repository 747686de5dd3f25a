//! Faults that recur while connections are accepted. Each series of them logs two lines.

use std::time::Duration;

use tracing::info;

use crate::instant::BootInstant;
use crate::process::episode::Episode;

/// Time without a fault after which an earlier series counts as over.
const QUIET: Duration = Duration::from_secs(10);

/// Recurring faults of one listener.
pub(super) struct Faults {
    pub(super) accept: Episode,
    pub(super) unknown: Episode,
    pub(super) full: Episode,
}

impl Faults {
    pub(super) const fn new() -> Self {
        Self {
            accept: Episode::new(QUIET),
            unknown: Episode::new(QUIET),
            full: Episode::new(QUIET),
        }
    }

    pub(super) const fn are_on(&self) -> bool {
        self.accept.is_on() || self.unknown.is_on() || self.full.is_on()
    }

    /// Waits until a fault may be over. Waits forever if there is none.
    pub(super) async fn quiet(&self) {
        if self.are_on() {
            tokio::time::sleep(QUIET).await;
        } else {
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn tell_end(&mut self, now: BootInstant) {
        if let Some(times) = self.accept.end_if_quiet(now) {
            info!(times, "accepting connections again");
        }
        if let Some(times) = self.unknown.end_if_quiet(now) {
            info!(times, "peer credentials are available again");
        }
        if let Some(times) = self.full.end_if_quiet(now) {
            info!(times, "no more connections are refused for their number");
        }
    }
}
