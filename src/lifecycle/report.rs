//! Reports that a resource rejected a token. Each reported token causes one refresh. When fresh tokens keep being
//! rejected, the refreshes become ever rarer, because then the resource is broken and not the token.
//!
//! Such a cool-down applies only to the user whose reports caused the refreshes. Otherwise one user could disable the
//! reports of all others. In addition, users other than the daemon's own and root share a budget.

use crate::instant::BootInstant;
use crate::schedule;

/// Number of users, other than the daemon's own and root, with a row of their own. All further ones share a row.
const REPORTERS: usize = 64;

/// The user that reports a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reporter {
    /// The daemon's own user or root.
    Ours(u32),
    /// Any other user that may use the profile.
    Other(u32),
}

// === impl Reporter ===

impl Reporter {
    /// Returns the user's ID.
    pub const fn uid(self) -> u32 {
        match self {
            Self::Ours(uid) | Self::Other(uid) => uid,
        }
    }
}

/// The reports of the held token, and the number of reported tokens.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// The effect of the reports of the held token, if it was reported.
    of_held: Option<ReportEffect>,
    rows: Vec<ReportSeries>,
    /// When reports of [`Reporter::Other`] users caused a refresh in the last hour, oldest first.
    of_others: Vec<BootInstant>,
    /// Number of tokens that were reported.
    count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReportEffect {
    /// No effect yet: every reporter so far must cool down first.
    CoolingDown,
    /// The refresh of the token.
    Refresh,
}

/// The consecutive refreshes that the reports of one user caused.
#[derive(Debug)]
struct ReportSeries {
    /// The user, or `None` for the row of all users without one of their own.
    reporter: Option<Reporter>,
    /// Number of these refreshes that brought a token, up to the held one.
    chain: u32,
    /// When the user's last report came, or until when that report had to cool down.
    quiet_since: BootInstant,
    /// The user's report of the held token.
    report: Option<Report>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Report {
    /// The report has no effect before this moment. If the user repeats it after that, it causes the refresh.
    CoolingDown { until: BootInstant },
    /// The report caused the refresh.
    Cause,
    /// The report had no effect, because the refresh was already in progress.
    Late,
}

// === impl Reports ===

impl Reports {
    /// Records a report of the held token, which was issued at `issued`. Returns whether the token's refresh is due
    /// now, which happens once per token.
    pub(super) fn record(
        &mut self,
        now: BootInstant,
        issued: BootInstant,
        reporter: Reporter,
    ) -> bool {
        if self.of_held.is_none() {
            self.count += 1;
        }
        let is_answered = self.of_held == Some(ReportEffect::Refresh);
        let mut row = self.take_row(now, reporter);
        let is_first = row.report.is_none();
        if row.is_over(now) || (is_first && !schedule::is_fresh_at_report(now, issued)) {
            row.chain = 0;
        }
        let until = schedule::report_due(issued, row.chain);
        let until = match reporter {
            Reporter::Ours(_) => until,
            Reporter::Other(_) => until.max(self.next_of_others(now)),
        };
        let is_due = !is_answered && until <= now;
        row.quiet_since = now;
        if is_answered || is_due {
            row.report = row.report.filter(|it| *it == Report::Cause);
            row.report = row.report.or(Some(Report::Late));
            self.of_held = Some(ReportEffect::Refresh);
        } else {
            row.quiet_since = until;
            row.report = Some(Report::CoolingDown { until });
            self.of_held = Some(ReportEffect::CoolingDown);
        }
        self.rows.push(row);
        is_due
    }

    /// Records that the report which was due has started the refresh. Do not call it for a report that came during an
    /// attempt or that the back-off delays: such a report costs its user nothing.
    pub(super) fn is_cause(&mut self, now: BootInstant, reporter: Reporter) {
        if let Reporter::Other(_) = reporter {
            self.of_others
                .retain(|at| now < at.after(schedule::REPORT_WINDOW));
            self.of_others.push(now);
        }
        let mut row = self.take_row(now, reporter);
        row.report = Some(Report::Cause);
        self.rows.push(row);
    }

    /// Records that another token is held now.
    pub(super) fn replaced(&mut self) {
        self.of_held = None;
        for row in &mut self.rows {
            row.chain = match (row.report.take(), row.reporter) {
                (Some(Report::Cause), _) => row.chain.saturating_add(1),
                // This user accepted the replaced token. For other users that proves nothing, because they can have a
                // token replaced on purpose.
                (None, Some(Reporter::Ours(_))) => 0,
                _ => row.chain,
            };
        }
    }

    /// Whether the held token was reported.
    pub(super) const fn is_of_held(&self) -> bool {
        self.of_held.is_some()
    }

    /// Returns until when this user's reports of the held token cause no refresh. The moment may have passed.
    pub(super) fn cooling_of(&self, reporter: Reporter) -> Option<BootInstant> {
        let of = |key| self.rows.iter().find(|row| row.reporter == key);
        self.cooling(of(Some(reporter)).or_else(|| of(None))?)
    }

    /// Returns until when reports of the held token cause no refresh, for the user that has to wait longest.
    pub(super) fn cooling_until(&self) -> Option<BootInstant> {
        self.rows.iter().filter_map(|row| self.cooling(row)).max()
    }

    fn cooling(&self, row: &ReportSeries) -> Option<BootInstant> {
        match (self.of_held, row.report) {
            (Some(ReportEffect::CoolingDown), Some(Report::CoolingDown { until })) => Some(until),
            _ => None,
        }
    }

    /// Returns how many tokens were reported.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// Returns when the budget of [`Reporter::Other`] users allows a refresh. The moment may have passed.
    fn next_of_others(&self, now: BootInstant) -> BootInstant {
        let full = self.of_others.len().checked_sub(schedule::REPORT_BUDGET);
        let oldest = full.and_then(|i| self.of_others.get(i));
        oldest.map_or(now, |at| at.after(schedule::REPORT_WINDOW))
    }

    /// Takes the row of this user out of the table. Returns a new row if the user has none, or the shared one if there
    /// is no room.
    fn take_row(&mut self, now: BootInstant, reporter: Reporter) -> ReportSeries {
        let is_other = |row: &ReportSeries| matches!(row.reporter, Some(Reporter::Other(_)));
        let mut key = Some(reporter);
        let place = |rows: &[ReportSeries], key| rows.iter().position(|row| row.reporter == key);
        if place(&self.rows, key).is_none() && matches!(reporter, Reporter::Other(_)) {
            self.rows
                .retain(|row| row.report.is_some() || !row.is_over(now));
            if self.rows.iter().filter(|row| is_other(row)).count() >= REPORTERS {
                key = None;
            }
        }
        match place(&self.rows, key) {
            Some(place) => self.rows.swap_remove(place),
            None => ReportSeries {
                reporter: key,
                chain: 0,
                quiet_since: now,
                report: None,
            },
        }
    }
}

#[cfg(test)]
impl Reports {
    /// Returns the number of rows, including the shared one.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Whether a report has caused the refresh of the held token.
    pub(super) fn answered(&self) -> bool {
        self.of_held == Some(ReportEffect::Refresh)
    }
}

// === impl Row ===

impl ReportSeries {
    /// Whether the user has reported nothing for so long that the next report starts from zero.
    fn is_over(&self, now: BootInstant) -> bool {
        !matches!(self.reporter, Some(Reporter::Ours(_)))
            && !schedule::is_fresh_at_report(now, self.quiet_since)
    }
}
