//! Reports suspends of the machine and steps of its wall clock to the profiles, and logs them.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info};

use super::keep::jumps::Jumps;
use super::keep::roster::Roster;
use crate::process::episode::Episode;

/// Time without a jump after which a series of jumps counts as over.
const CLOCKS_QUIET: Duration = Duration::from_secs(60);

/// Reports each suspend and each step of the wall clock to every profile.
pub async fn report_jumps(mut jumps: Jumps, roster: Arc<Roster>) {
    let (mut suspends, mut steps) = (Episode::new(CLOCKS_QUIET), Episode::new(CLOCKS_QUIET));
    loop {
        // Outside a series of jumps, wait without a limit, so that an idle daemon is not woken.
        let limit = (suspends.is_on() || steps.is_on()).then_some(CLOCKS_QUIET);
        let jump = jumps.look(limit).await;
        let now = jumps.now();
        // A clock that is set every few seconds must log two lines in all, not one per step.
        if let Some(times) = suspends.end_if_quiet(now).filter(|times| *times > 1) {
            info!(times, "the repeated suspends of this machine have stopped");
        }
        if let Some(times) = steps.end_if_quiet(now).filter(|times| *times > 1) {
            info!(times, "the repeated changes of the wall clock have stopped");
        }
        let Some(jump) = jump else { continue };
        if let Some(suspended) = jump.suspended {
            let secs = suspended.as_secs();
            if suspends.occurred(now) {
                info!(secs, "the machine was suspended");
            } else {
                debug!(secs, "the machine was suspended again");
            }
        }
        if let Some(secs) = jump.stepped {
            if steps.occurred(now) {
                info!(secs, "the wall clock was set");
            } else {
                debug!(secs, "the wall clock was set again");
            }
        }
        for entry in roster.all().values() {
            entry.handle.jumped(jump).await;
        }
    }
}
