//! The results of the demo, and what to do next.

use super::line::{Line, Tone};

/// The results of the demo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Score {
    pub(super) requests: u64,
    pub(super) refreshes: u64,
    /// Applications that were made, and whose token the API accepted.
    pub(super) applications: u64,
    /// Keys that were replaced while the programs sent requests.
    pub(super) rotations: u64,
    /// Outages during which an attempt of the daemon failed.
    pub(super) outages: u64,
    /// Outages that were simulated.
    pub(super) planned: u64,
    pub(super) failed: u64,
    pub(super) first_failure: Option<String>,
}

// === impl Score ===

impl Score {
    /// The complaint about a result that is not as promised, if any.
    pub(super) fn complaint(&self) -> Option<String> {
        if self.failed > 0 {
            let why = self.first_failure.as_deref().unwrap_or("unknown");
            Some(format!("requests failed; the first one: {why}"))
        } else if self.requests == 0 || self.refreshes == 0 {
            Some("no token was renewed during the requests, so this shows nothing".to_owned())
        } else if self.outages < self.planned {
            Some(
                "an outage passed without a request at the issuer, so this shows nothing"
                    .to_owned(),
            )
        } else {
            None
        }
    }

    /// The last lines; the very last one is the score.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines = vec![];
        if self.complaint().is_none() {
            lines.extend([
                Line::new(
                    Tone::Plain,
                    "Everything is stopped and removed again. With an account of your own:",
                ),
                Line::command("jetond add NAME --provider runai --url https://YOUR.run.ai"),
                Line::command("jetond run")
                    .and(Tone::Plain, "      and then, in any program:  ")
                    .and(Tone::Bold, "jeton token NAME"),
            ]);
        }
        let counts = format!(
            "{}, {}, {}, {}, {}, ",
            counted(self.requests, "request", "requests"),
            counted(self.refreshes, "refresh", "refreshes"),
            counted(self.applications, "application", "applications"),
            counted(self.rotations, "rotation", "rotations"),
            counted(self.outages, "outage", "outages"),
        );
        lines.push(Line::new(Tone::Bold, counts).and(
            if self.failed == 0 {
                Tone::Good
            } else {
                Tone::Bad
            },
            format!("{} failed", grouped(self.failed)),
        ));
        lines
    }
}

/// Formats a count with its noun: `1 request`, `12,345 requests`.
pub(super) fn counted(n: u64, one: &str, more: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { more })
}

/// Formats `12345` as `12,345`.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score() -> Score {
        Score {
            requests: 12_345,
            refreshes: 6,
            applications: 1,
            rotations: 1,
            outages: 2,
            planned: 2,
            failed: 0,
            first_failure: None,
        }
    }

    fn last(score: &Score) -> String {
        score.lines().last().unwrap().show(80, false)
    }

    #[test]
    fn the_last_line_shows_the_totals() {
        assert_eq!(
            last(&score()),
            "12,345 requests, 6 refreshes, 1 application, 1 rotation, 2 outages, 0 failed"
        );
        let one = Score {
            requests: 1,
            refreshes: 1,
            outages: 1,
            failed: 1_000,
            ..score()
        };
        assert_eq!(
            last(&one),
            "1 request, 1 refresh, 1 application, 1 rotation, 1 outage, 1,000 failed"
        );
    }

    #[test]
    fn every_line_fits_a_terminal_of_80_columns() {
        for line in score().lines() {
            assert_eq!(line.show(79, false), line.show(usize::MAX, false));
        }
    }

    #[test]
    fn a_demo_fails_without_a_refresh_or_with_failed_requests() {
        assert_eq!(score().complaint(), None);
        for (bad, why) in [
            (
                Score {
                    requests: 0,
                    ..score()
                },
                "no token was renewed",
            ),
            (
                Score {
                    refreshes: 0,
                    ..score()
                },
                "no token was renewed",
            ),
            (
                Score {
                    outages: 1,
                    ..score()
                },
                "an outage passed",
            ),
            (
                Score {
                    failed: 1,
                    first_failure: Some("cause".to_owned()),
                    ..score()
                },
                "requests failed; the first one: cause",
            ),
        ] {
            assert!(bad.complaint().unwrap().starts_with(why), "{bad:?}");
            // A failed demo must not suggest the next steps.
            assert_eq!(bad.lines().len(), 1);
        }
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(n), text);
        }
    }
}
