//! What a rotation is waiting for, as callers see it.

use crate::instant::UnixTime;
use crate::rotation::{Event, WaitReason, WriteOutcome};

/// The subject of a wait for the record.
pub(super) const STORE: &str = "the store of the credential";

/// The reason for a wait after the profile was removed during a rotation of its key.
pub(super) const GONE: &str = "the profile is not in the configuration; put it back";

/// The reason for a wait after the credential was removed, or the profile got another store, during a rotation.
pub(super) const EMPTY: &str =
    "it has no credential of the profile; put the credential back, or the profile's former store";

/// What a rotation is waiting for, and since when.
#[derive(Debug, Default)]
pub(super) struct RotationWait {
    /// What the current command waits for, and why: the end of a sentence that begins with "waiting for".
    what: Option<String>,
    /// The reason of the failed tries in a row, and when the first of them failed.
    since: Option<(WaitReason, UnixTime)>,
}

/// The description of a wait for callers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WaitDescription<'a> {
    /// What is waited for, and why: the end of a sentence that begins with "waiting for".
    pub(super) what: Option<&'a str>,
    /// When the first of the failed tries was, if the wait is for a retry.
    pub(super) since: Option<UnixTime>,
}

// === impl Hindrance ===

impl RotationWait {
    /// Notes what the current command waits for.
    pub(super) fn note(&mut self, what: impl Into<String>) {
        self.what = Some(what.into());
    }

    /// Returns what the last command waits for.
    pub(super) fn what(&self) -> Option<&str> {
        self.what.as_deref()
    }

    /// Forgets what the last command waited for, when the next one begins.
    pub(super) fn clear(&mut self) {
        self.what = None;
    }

    /// Takes the outcome of a command. A success ends the row of failed tries.
    pub(super) fn take(&mut self, event: &Event) {
        let is_another_try = matches!(
            event,
            Event::Lost
                | Event::NotSent
                | Event::Refused(_)
                | Event::Rejected
                | Event::Unreadable
                | Event::NotNoted
                | Event::Woken
                | Event::Finish
                | Event::Settled
                | Event::Stored(
                    WriteOutcome::Failed | WriteOutcome::Unknown | WriteOutcome::Conflict
                )
        );
        if !is_another_try {
            self.since = None;
        }
    }

    /// Describes a wait of this kind. Only a wait for a retry has a start; other waits end without help.
    pub(super) fn describe(&mut self, why: WaitReason, now: UnixTime) -> WaitDescription<'_> {
        let is_fault = matches!(
            why,
            WaitReason::Issuer | WaitReason::Store | WaitReason::Journal | WaitReason::Replicas
        );
        if !is_fault {
            return WaitDescription::default();
        }
        let since = match self.since {
            Some((before, since)) if before == why => since,
            _ => now,
        };
        self.since = Some((why, since));
        WaitDescription {
            what: self.what.as_deref(),
            since: Some(since),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const fn at(seconds: u64) -> UnixTime {
        UnixTime::from_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn a_rotation_wait_counts_from_the_first_failed_try_until_a_success() {
        let mut hindrance = RotationWait::default();
        for (now, why, since) in [
            (1, WaitReason::Issuer, Some(1)),
            (5, WaitReason::Issuer, Some(1)),
            (9, WaitReason::Store, Some(9)),
            (10, WaitReason::Grace, None),
        ] {
            hindrance.note("the issuer: 503");
            let told = hindrance.describe(why, at(now));
            assert_eq!(told.since, since.map(at), "{why:?}");
            assert_eq!(told.what.is_some(), since.is_some());
            hindrance.take(&Event::Lost);
            hindrance.take(&Event::Woken);
            hindrance.clear();
        }
        hindrance.describe(WaitReason::Issuer, at(20));
        hindrance.take(&Event::Deleted);
        assert_eq!(
            hindrance.describe(WaitReason::Issuer, at(30)).since,
            Some(at(30))
        );
    }
}
