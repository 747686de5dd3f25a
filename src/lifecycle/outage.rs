//! Tracks the time in which a profile has no valid token, and decides when to log it: when a failed attempt has left
//! callers without a token, and then at growing intervals.

use std::time::Duration;

use super::View;
use crate::instant::BootInstant;

/// When the second and the third report are due. Later ones are due once per [`DAY`].
const REMINDERS: [Duration; 2] = [Duration::from_secs(600), Duration::from_secs(3_600)];

const DAY: Duration = Duration::from_secs(86_400);

/// A line that the log has to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutageReport {
    /// The held token has expired, and an attempt to replace it has failed.
    Expired {
        /// How long callers have had no token.
        failing_for: Duration,
    },
    /// Callers still have no token.
    Lasts {
        /// How long callers have had no token.
        failing_for: Duration,
    },
    /// Callers have a token again.
    Over {
        /// How long callers had none.
        failed_for: Duration,
    },
}

/// Follows the view of one profile.
#[derive(Debug, Default)]
pub struct OutageTracker {
    /// The time without a valid token while callers may want one, if it lasts.
    lack: Option<OngoingOutage>,
    /// Whether the profile rested at the last check.
    rested: bool,
}

#[derive(Debug)]
struct OngoingOutage {
    /// When callers began to fail. Each later rest moves it forward by its length, because no caller asked meanwhile.
    since: BootInstant,
    /// Since when the profile has been resting.
    resting_since: Option<BootInstant>,
    /// Number of reports that have been due so far.
    due: u32,
    /// Whether any of them was made.
    is_reported: bool,
    /// Whether callers fail because of a known fault. Otherwise nothing is reported, even if a report is due.
    has_failed: bool,
}

// === impl Outage ===

impl OutageTracker {
    /// Checks the profile at `now`, and returns what to report. Call it at each change of the view, at the expiry of
    /// the held token, and at [`Self::next`].
    pub fn look(&mut self, now: BootInstant, view: &View) -> Option<OutageReport> {
        let rested = std::mem::replace(&mut self.rested, view.resting);
        if view.valid(now).is_some() {
            let lack = self.lack.take().filter(|lack| lack.is_reported)?;
            let failed_for = lack.lasted(now);
            return Some(OutageReport::Over { failed_for });
        }
        if self.lack.is_none() && view.resting {
            // If no caller asks for the token, its expiry is not an outage.
            return None;
        }
        let expiry = view.held.as_ref().map(|held| held.validity.expires);
        let lack = self.lack.get_or_insert(OngoingOutage {
            since: expiry.filter(|_| !rested).unwrap_or(now),
            resting_since: None,
            due: 0,
            is_reported: false,
            has_failed: false,
        });
        lack.rest(now, view.resting);
        let has_failed = view.failing > 0 || view.block.is_some() || view.is_refused();
        lack.has_failed = has_failed;
        if view.resting || !has_failed {
            return None;
        }
        let failing_for = lack.lasted(now);
        let is_first = lack.due == 0;
        if !lack.is_due(failing_for) {
            return None;
        }
        // A first attempt that fails has a log line of its own.
        if is_first && expiry.is_none() {
            return None;
        }
        lack.is_reported = true;
        Some(if is_first {
            OutageReport::Expired { failing_for }
        } else {
            OutageReport::Lasts { failing_for }
        })
    }

    /// Returns when the next report is due, if another one will follow.
    pub fn next(&self) -> Option<BootInstant> {
        let lack = self.lack.as_ref()?;
        let is_awaited = lack.due > 0 && lack.has_failed && lack.resting_since.is_none();
        is_awaited.then(|| lack.since.after(due_after(lack.due)))
    }
}

// === impl Lack ===

impl OngoingOutage {
    /// Records whether the profile rests.
    fn rest(&mut self, now: BootInstant, rests: bool) {
        if rests {
            self.resting_since.get_or_insert(now);
        } else if let Some(from) = self.resting_since.take() {
            self.since = self.since.after(now.since(from));
        }
    }

    /// Returns how long callers have had no token at `now`.
    fn lasted(&self, now: BootInstant) -> Duration {
        self.resting_since.unwrap_or(now).since(self.since)
    }

    /// Whether a report is due after this time. If several are due, as after a suspend, only one is made.
    fn is_due(&mut self, after: Duration) -> bool {
        let before = self.due;
        while due_after(self.due) <= after {
            self.due += 1;
        }
        self.due > before
    }
}

/// Returns the time after which the report with this number is due. Numbers start at 0.
fn due_after(number: u32) -> Duration {
    match number {
        0 => Duration::ZERO,
        1 => REMINDERS[0],
        2 => REMINDERS[1],
        more => DAY.saturating_mul(more - 2),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fault::{Block, Fault, FaultKind};
    use crate::lifecycle::{HeldToken, LastFault, Lifecycle, Policy};
    use crate::token::{AccessToken, LastAnswer, Validity};

    const fn at(secs: u64) -> BootInstant {
        BootInstant::from_boot(Duration::from_secs(secs))
    }

    /// Returns a profile whose token expires in second 1,000.
    fn healthy() -> View {
        let validity = Validity {
            expires: at(1_000),
            ..Validity::new(at(0), Some(Duration::from_secs(1_000)))
        };
        View {
            held: Some(Arc::new(HeldToken {
                token: AccessToken::parse("token").unwrap(),
                validity,
                generation: 1,
                scope: None,
                last_answer: LastAnswer::default(),
            })),
            ..Lifecycle::new(at(0), 0, Policy::default()).view()
        }
    }

    fn failing(view: View) -> View {
        View {
            failing: 3,
            last_fault: Some(Arc::new(LastFault {
                fault: Fault::new(FaultKind::Timeout, "no answer"),
                at: at(990),
            })),
            ..view
        }
    }

    fn expired(secs: u64) -> Option<OutageReport> {
        let failing_for = Duration::from_secs(secs);
        Some(OutageReport::Expired { failing_for })
    }

    fn lasts(secs: u64) -> Option<OutageReport> {
        let failing_for = Duration::from_secs(secs);
        Some(OutageReport::Lasts { failing_for })
    }

    fn over(secs: u64) -> Option<OutageReport> {
        let failed_for = Duration::from_secs(secs);
        Some(OutageReport::Over { failed_for })
    }

    #[test]
    fn an_outage_is_reported_at_expiry_after_10_min_after_1_h_and_daily() {
        let mut outage = OutageTracker::default();
        let view = failing(healthy());
        assert_eq!((outage.look(at(999), &view), outage.next()), (None, None));
        for (after, report, next) in [
            (0, expired(0), 600),
            (1, None, 600),
            (599, None, 600),
            (600, lasts(600), 3_600),
            (601, None, 3_600),
            (3_600, lasts(3_600), 86_400),
            (86_399, None, 86_400),
            (86_400, lasts(86_400), 2 * 86_400),
            (2 * 86_400, lasts(2 * 86_400), 3 * 86_400),
            // The machine was suspended while several reports became due.
            (400_000, lasts(400_000), 5 * 86_400),
            (5 * 86_400, lasts(5 * 86_400), 6 * 86_400),
        ] {
            assert_eq!(outage.look(at(1_000 + after), &view), report, "{after}");
            assert_eq!(outage.next(), Some(at(1_000 + next)), "{after}");
        }
        let mut well = healthy();
        well.held = failing(healthy()).held;
        assert_eq!(outage.look(at(999), &well), over(0), "by its own clock");
        assert_eq!((outage.look(at(999), &well), outage.next()), (None, None));
    }

    #[test]
    fn the_end_of_an_outage_is_reported_with_its_duration() {
        let mut outage = OutageTracker::default();
        assert_eq!(outage.look(at(1_000), &failing(healthy())), expired(0));
        let longer = |until| {
            let held = healthy().held.unwrap();
            let validity = Validity {
                expires: at(until),
                ..held.validity
            };
            View {
                held: Some(Arc::new(HeldToken {
                    token: AccessToken::parse("next").unwrap(),
                    validity,
                    generation: 2,
                    scope: None,
                    last_answer: LastAnswer::default(),
                })),
                ..healthy()
            }
        };
        assert_eq!(outage.look(at(1_900), &longer(3_000)), over(900));
        assert_eq!(outage.look(at(1_901), &longer(3_000)), None);
        assert_eq!(outage.look(at(3_000), &failing(longer(3_000))), expired(0));
        assert_eq!(outage.next(), Some(at(3_600)));
    }

    #[test]
    fn no_reminder_is_scheduled_without_a_current_fault() {
        let mut outage = OutageTracker::default();
        assert_eq!(outage.look(at(1_000), &failing(healthy())), expired(0));
        // The credential or the network has changed, so earlier failures do not count.
        for after in [100, 600, 700] {
            assert_eq!(outage.look(at(1_000 + after), &healthy()), None);
            assert_eq!(outage.next(), None, "else a look is due for ever");
        }
        assert_eq!(outage.look(at(1_800), &failing(healthy())), lasts(800));
        assert_eq!(outage.next(), Some(at(4_600)));
    }

    #[test]
    fn no_outage_is_reported_if_the_attempt_running_at_expiry_succeeds() {
        let mut outage = OutageTracker::default();
        let view = healthy();
        for secs in [1_000, 1_005] {
            assert_eq!((outage.look(at(secs), &view), outage.next()), (None, None));
        }
        // The attempt fails: callers have had no token since the expiry.
        assert_eq!(outage.look(at(1_010), &failing(healthy())), expired(10));
        assert_eq!(outage.next(), Some(at(1_600)));
        let mut outage = OutageTracker::default();
        assert_eq!(outage.look(at(1_000), &view), None);
        assert_eq!(outage.look(at(999), &view), None, "it succeeded");
    }

    #[test]
    fn a_missing_or_rejected_credential_counts_as_an_outage() {
        let detail = "the record is damaged".to_owned();
        let block = Some(Arc::new(Block::Unusable { detail }));
        let blocked = View { block, ..healthy() };
        let rejected = View {
            rejected: true,
            ..healthy()
        };
        for view in [blocked, rejected] {
            assert_eq!(OutageTracker::default().look(at(1_004), &view), expired(4));
        }
    }

    #[test]
    fn a_profile_without_a_first_token_reports_only_reminders() {
        let mut outage = OutageTracker::default();
        let mut view = failing(healthy());
        view.held = None;
        for (secs, report) in [
            (50, None),
            (51, None),
            (649, None),
            (650, lasts(600)),
            (3_650, lasts(3_600)),
        ] {
            assert_eq!(outage.look(at(secs), &view), report, "{secs}");
        }
        let mut outage = OutageTracker::default();
        assert_eq!(outage.look(at(50), &view), None);
        assert_eq!(outage.look(at(60), &healthy()), None, "as is its end");
    }

    #[test]
    fn a_resting_profile_reports_no_outage_and_its_rest_is_not_counted() {
        let resting = |view| View {
            resting: true,
            ..view
        };
        let mut outage = OutageTracker::default();
        // The token expires during a rest, and the attempt for the next caller fails.
        assert_eq!(outage.look(at(900), &resting(healthy())), None);
        assert_eq!(outage.look(at(1_000), &resting(healthy())), None);
        assert_eq!(outage.next(), None);
        assert_eq!(outage.look(at(5_000), &healthy()), None);
        assert_eq!(outage.look(at(5_002), &failing(healthy())), expired(2));
        assert_eq!(outage.next(), Some(at(5_600)));
        // The profile rests for a day.
        let asleep = resting(failing(healthy()));
        assert_eq!(
            (outage.look(at(5_500), &asleep), outage.next()),
            (None, None)
        );
        assert_eq!(outage.look(at(50_000), &asleep), None);
        assert_eq!(outage.look(at(91_900), &failing(healthy())), None);
        assert_eq!(outage.next(), Some(at(92_000)));
        assert_eq!(outage.look(at(92_000), &failing(healthy())), lasts(600));
        let mut outage = OutageTracker::default();
        assert_eq!(outage.look(at(1_000), &failing(healthy())), expired(0));
        assert_eq!(outage.look(at(1_100), &asleep), None);
        assert_eq!(outage.look(at(999), &healthy()), over(100));
    }
}
