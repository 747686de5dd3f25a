//! Log messages about issuers at which attempts have to wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::instant::BootInstant;
use crate::process::episode::Episode;

/// Time without a long wait after which a crowd counts as over.
pub(super) const QUIET: Duration = Duration::from_secs(60);

/// The crowds, by issuer.
#[derive(Debug, Default)]
pub(super) struct WaitLogs(HashMap<Arc<str>, WaitLog>);

/// Attempts that had to wait at one issuer.
#[derive(Debug)]
struct WaitLog {
    episode: Episode,
    longest: Duration,
}

/// Whether attempts still have to wait at an issuer.
pub(super) enum WaitStatus {
    /// Attempts wait, or waited a short while ago.
    Waiting,
    /// The crowd is over.
    Over {
        /// Number of attempts that waited long.
        attempts: u64,
        /// The longest wait.
        longest: Duration,
    },
    /// No attempt has waited long.
    Unknown,
}

impl WaitLogs {
    /// Counts an attempt that has waited for `long`. Returns whether it is the first of its crowd.
    pub(super) fn note_wait(&mut self, site: &Arc<str>, long: Duration, now: BootInstant) -> bool {
        let crowd = self.0.entry(Arc::clone(site)).or_insert_with(|| WaitLog {
            episode: Episode::new(QUIET),
            longest: long,
        });
        crowd.episode.occurred(now)
    }

    /// Records the wait of an attempt that has its permit now.
    pub(super) fn waited(&mut self, site: &str, time: Duration) {
        if let Some(crowd) = self.0.get_mut(site) {
            crowd.longest = crowd.longest.max(time);
        }
    }

    /// Removes a crowd if it is over.
    pub(super) fn take_if_over(
        &mut self,
        site: &str,
        is_waiting: bool,
        now: BootInstant,
    ) -> WaitStatus {
        let Some(crowd) = self.0.get_mut(site) else {
            return WaitStatus::Unknown;
        };
        if is_waiting {
            return WaitStatus::Waiting;
        }
        let Some(attempts) = crowd.episode.end_if_quiet(now) else {
            return WaitStatus::Waiting;
        };
        let longest = crowd.longest;
        self.0.remove(site);
        WaitStatus::Over { attempts, longest }
    }
}
