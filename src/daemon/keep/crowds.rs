//! The issuers at which attempts wait, or have waited a short while ago, as the log says.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::instant::BootInstant;
use crate::process::episode::Episode;

/// How long no attempt may have waited for long until the log says that it is over.
pub(super) const QUIET: Duration = Duration::from_secs(60);

/// The crowds by issuer.
#[derive(Debug, Default)]
pub(super) struct Crowds(HashMap<Arc<str>, Crowd>);

/// Attempts that had to wait at one issuer.
#[derive(Debug)]
struct Crowd {
    episode: Episode,
    longest: Duration,
}

/// Whether attempts still wait at an issuer.
pub(super) enum Still {
    /// They do, or did a short while ago.
    Waiting,
    /// No more.
    Over {
        /// How many have waited for long.
        attempts: u64,
        /// How long the longest has waited.
        longest: Duration,
    },
    /// None has waited for long.
    Unknown,
}

impl Crowds {
    /// Notes that an attempt has waited for `long`. Returns whether it is the first of its crowd.
    pub(super) fn came(&mut self, site: &Arc<str>, long: Duration, now: BootInstant) -> bool {
        let crowd = self.0.entry(Arc::clone(site)).or_insert_with(|| Crowd {
            episode: Episode::new(QUIET),
            longest: long,
        });
        crowd.episode.came(now)
    }

    /// Notes for how long an attempt has waited that has its permit now.
    pub(super) fn waited(&mut self, site: &str, time: Duration) {
        if let Some(crowd) = self.0.get_mut(site) {
            crowd.longest = crowd.longest.max(time);
        }
    }

    /// Forgets a crowd that is over.
    pub(super) fn over(&mut self, site: &str, is_waiting: bool, now: BootInstant) -> Still {
        let Some(crowd) = self.0.get_mut(site) else {
            return Still::Unknown;
        };
        if is_waiting {
            return Still::Waiting;
        }
        let Some(attempts) = crowd.episode.over(now) else {
            return Still::Waiting;
        };
        let longest = crowd.longest;
        self.0.remove(site);
        Still::Over { attempts, longest }
    }
}
