//! Reports that a token was rejected by what it was meant for: one refresh for each token that is reported, and ever
//! rarer ones when fresh tokens keep being rejected, since then the resource is broken and not the token.

use crate::instant::BootInstant;
use crate::schedule;

/// What is known of the token held, and how many were reported.
#[derive(Debug, Default)]
pub(super) struct Reports {
    of_held: Option<Report>,
    /// How many tokens in a row, up to the one held, took the place of a reported one.
    chain: u32,
    /// How many tokens were reported.
    count: u64,
}

/// How a report of the token held stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Report {
    /// It waits for the cool-down to end, and for somebody who still says so then.
    Heard,
    /// It has led to its refresh.
    Answered,
}

impl Reports {
    /// The token held, which was issued at `issued`, is reported: whether its refresh is due now. It is so once for each
    /// token.
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

    /// Another token is held now.
    pub(super) fn replaced(&mut self) {
        self.chain = match self.of_held.take() {
            Some(_) => self.chain.saturating_add(1),
            None => 0,
        };
    }

    /// Whether the token held was reported.
    pub(super) const fn is_of_held(&self) -> bool {
        self.of_held.is_some()
    }

    /// Until when a report of the token held, which was issued at `issued`, leads to no refresh.
    pub(super) fn cooling_until(&self, issued: BootInstant) -> Option<BootInstant> {
        (self.of_held == Some(Report::Heard)).then(|| schedule::report_due(issued, self.chain))
    }

    /// How many tokens were reported.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }
}
