//! What a token file needs to watch its profile after the request of its command has ended.

use std::sync::Arc;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::daemon::keep::feed::Feed;
use crate::daemon::keep::roster::Roster;
use crate::policy::Caller;
use crate::problem::Problem;
use crate::profile::ProfileName;

/// What is needed to watch a profile.
#[derive(Clone)]
pub struct Feeds {
    /// The profiles.
    pub roster: Arc<Roster>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Whether the daemon is stopping.
    pub closing: watch::Receiver<bool>,
}

// === impl Feeds ===

impl Feeds {
    /// Opens the event stream of a profile for this caller.
    pub(super) fn open(
        &self,
        caller: &Caller,
        profile: &ProfileName,
        since: Option<u64>,
    ) -> Result<Feed, Problem> {
        let name = Some(profile);
        Feed::open(
            &self.roster,
            &self.clock,
            &self.closing,
            caller,
            name,
            since,
        )
    }
}
