//! Reports that the resource rejected a token. Each reported token leads to one refresh. When fresh tokens keep being
//! rejected, the refreshes become ever rarer, since then the resource is broken and not the token.
//!
//! Such a cool-down binds the user whose reports led to the refreshes, and no other: else one user could take the reports
//! of all others away. Users other than the daemon's own and root share a budget instead.

use crate::instant::BootInstant;
use crate::schedule;

/// How many users other than the daemon's own and root are told apart. All further ones count as one.
const REPORTERS: usize = 64;

/// The user who reports a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reporter {
    /// The daemon's own user, or root.
    Ours(u32),
    /// Any other user that may use the profile.
    Other(u32),
}

// === impl Reporter ===

impl Reporter {
    /// The user's number.
    pub const fn uid(self) -> u32 {
        match self {
            Self::Ours(uid) | Self::Other(uid) => uid,
        }
    }
}

/// The reports of the held token, and the counts of reported tokens.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// What the reports of the held token have led to, if it was reported.
    of_held: Option<Outcome>,
    rows: Vec<Row>,
    /// When reports of [`Reporter::Other`] users led to a refresh in the last hour, oldest first.
    of_others: Vec<BootInstant>,
    /// How many tokens were reported.
    count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Nothing yet: every reporter so far has to cool down first.
    CoolingDown,
    /// The refresh of the token.
    Refresh,
}

/// The refreshes in a row that the reports of one user led to.
#[derive(Debug)]
struct Row {
    /// The user; `None` for all users that are not told apart.
    reporter: Option<Reporter>,
    /// How many of its refreshes brought a token, up to the held one.
    chain: u32,
    /// When its last report came, or until when that had to cool down.
    quiet_since: BootInstant,
    /// Its report of the held token.
    report: Option<Report>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Report {
    /// It leads to nothing before this moment, and to the refresh if it is made again then.
    CoolingDown { until: BootInstant },
    /// It led to the refresh.
    Cause,
    /// It led to nothing, since the refresh was under way.
    Late,
}

// === impl Reports ===

impl Reports {
    /// Records a report of the held token, which was issued at `issued`. Returns whether its refresh is due now, which
    /// happens once for each token.
    pub(super) fn hear(
        &mut self,
        now: BootInstant,
        issued: BootInstant,
        reporter: Reporter,
    ) -> bool {
        if self.of_held.is_none() {
            self.count += 1;
        }
        let is_answered = self.of_held == Some(Outcome::Refresh);
        let mut row = self.take_row(now, reporter);
        let is_first = row.report.is_none();
        if row.is_over(now) || (is_first && !schedule::reported_early(now, issued)) {
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
            self.of_held = Some(Outcome::Refresh);
        } else {
            row.quiet_since = until;
            row.report = Some(Report::CoolingDown { until });
            self.of_held = Some(Outcome::CoolingDown);
        }
        self.rows.push(row);
        is_due
    }

    /// Records that the report which was due began the refresh. One that came while an attempt ran, or that the back-off
    /// puts off, did not, and costs its user nothing.
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
                // It was content with a token in between. Of another user that proves nothing: it can ask for one.
                (None, Some(Reporter::Ours(_))) => 0,
                _ => row.chain,
            };
        }
    }

    /// Whether the held token was reported.
    pub(super) const fn is_of_held(&self) -> bool {
        self.of_held.is_some()
    }

    /// Until when a report of the held token by this user leads to no refresh. The moment may have passed.
    pub(super) fn cooling_of(&self, reporter: Reporter) -> Option<BootInstant> {
        let of = |key| self.rows.iter().find(|row| row.reporter == key);
        self.cooling(of(Some(reporter)).or_else(|| of(None))?)
    }

    /// Until when reports of the held token lead to no refresh, for the user who has to wait longest.
    pub(super) fn cooling_until(&self) -> Option<BootInstant> {
        self.rows.iter().filter_map(|row| self.cooling(row)).max()
    }

    fn cooling(&self, row: &Row) -> Option<BootInstant> {
        match (self.of_held, row.report) {
            (Some(Outcome::CoolingDown), Some(Report::CoolingDown { until })) => Some(until),
            _ => None,
        }
    }

    /// How many tokens were reported.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// When the budget of [`Reporter::Other`] users allows a refresh. The moment may have passed.
    fn next_of_others(&self, now: BootInstant) -> BootInstant {
        let full = self.of_others.len().checked_sub(schedule::REPORT_BUDGET);
        let oldest = full.and_then(|i| self.of_others.get(i));
        oldest.map_or(now, |at| at.after(schedule::REPORT_WINDOW))
    }

    /// Takes the row of this user out of the table: a new one for a user that has none, or the one that all users share
    /// for whom there is no room.
    fn take_row(&mut self, now: BootInstant, reporter: Reporter) -> Row {
        let is_other = |row: &Row| matches!(row.reporter, Some(Reporter::Other(_)));
        let mut key = Some(reporter);
        let place = |rows: &[Row], key| rows.iter().position(|row| row.reporter == key);
        if place(&self.rows, key).is_none() && matches!(reporter, Reporter::Other(_)) {
            self.rows
                .retain(|row| row.report.is_some() || !row.is_over(now));
            if self.rows.iter().filter(|row| is_other(row)).count() >= REPORTERS {
                key = None;
            }
        }
        match place(&self.rows, key) {
            Some(place) => self.rows.swap_remove(place),
            None => Row {
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
    /// How many users are told apart now, with one for all others.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Whether a report has led to the refresh of the held token.
    pub(super) fn answered(&self) -> bool {
        self.of_held == Some(Outcome::Refresh)
    }
}

// === impl Row ===

impl Row {
    /// Whether the user has reported nothing for so long that the next report begins a new row.
    fn is_over(&self, now: BootInstant) -> bool {
        !matches!(self.reporter, Some(Reporter::Ours(_)))
            && !schedule::reported_early(now, self.quiet_since)
    }
}
