//! Reports that the resource rejected a token. Each reported token leads to one refresh. When fresh tokens keep being
//! rejected, the refreshes become ever rarer, since then the resource is broken and not the token.

use crate::instant::BootInstant;
use crate::schedule;

/// The report of the held token, and the counts of reported tokens.
#[derive(Debug, Default)]
pub(super) struct Reports {
    of_held: Option<Report>,
    /// How many tokens in a row, up to the held one, replaced a reported token.
    chain: u32,
    /// How many tokens were reported.
    count: u64,
}

/// Progress of a report of the held token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Report {
    /// It waits for the cool-down to end, and for a further report then.
    Heard,
    /// It has led to its refresh.
    Answered,
}

impl Reports {
    /// Records a report of the held token, which was issued at `issued`. Returns whether its refresh is due now, which
    /// happens once for each token.
    pub(super) fn hear(&mut self, now: BootInstant, issued: BootInstant) -> bool {
        if self.of_held.is_none() {
            self.count += 1;
            self.of_held = Some(Report::Heard);
            if !schedule::reported_early(now, issued) {
                self.chain = 0;
            }
        }
        let due = schedule::report_due(issued, self.chain) <= now;
        let first = due && self.of_held == Some(Report::Heard);
        if first {
            self.of_held = Some(Report::Answered);
        }
        first
    }

    /// Records that another token is held now.
    pub(super) fn replaced(&mut self) {
        self.chain = match self.of_held.take() {
            Some(_) => self.chain.saturating_add(1),
            None => 0,
        };
    }

    /// Whether the held token was reported.
    pub(super) const fn is_of_held(&self) -> bool {
        self.of_held.is_some()
    }

    /// Until when a report of the held token, which was issued at `issued`, leads to no refresh.
    pub(super) fn cooling_until(&self, issued: BootInstant) -> Option<BootInstant> {
        (self.of_held == Some(Report::Heard)).then(|| schedule::report_due(issued, self.chain))
    }

    /// How many tokens were reported.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }
}
