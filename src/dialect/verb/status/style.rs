//! The style of a table: its width, its colours, its characters.

use std::time::Duration;

use crate::lifecycle::Phase;
use crate::wire::frame::Invocation;

/// The width of a table that is not for a terminal, or for a terminal of unknown width.
const DEFAULT_COLUMNS: usize = 100;

/// The width of the remaining-time bar, in cells.
pub(super) const BAR: usize = 10;

/// The style of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) columns: usize,
    colour: bool,
    /// Block characters and an ellipsis, or ASCII only.
    unicode: bool,
}

// === impl Style ===

impl Style {
    /// Chooses colours and block characters only for a terminal that supports them, and colours only without `NO_COLOR`
    /// (no-color.org: set and not empty).
    pub(super) fn of(run: &Invocation) -> Self {
        let var = |name: &str| run.env.get(name).map_or("", String::as_str);
        let rich = run.terminal.output && !matches!(var("TERM"), "" | "dumb");
        let columns = match (run.columns, var("COLUMNS").parse::<usize>()) {
            (0, Ok(columns)) if columns > 0 => columns,
            (0, _) => DEFAULT_COLUMNS,
            (columns, _) => columns.into(),
        };
        Self {
            columns: if run.terminal.output {
                columns
            } else {
                columns.max(DEFAULT_COLUMNS)
            },
            colour: rich && var("NO_COLOR").is_empty(),
            unicode: rich,
        }
    }

    pub(super) fn paint(self, text: &str, phase: Phase) -> String {
        let colour = match phase {
            Phase::Fresh | Phase::Resting => 32,
            Phase::Starting | Phase::Retrying | Phase::Locked => 33,
            Phase::Rejected | Phase::Expired | Phase::Misconfigured => 31,
        };
        if self.colour {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub(super) fn bar(self, left: Duration, whole: Duration) -> String {
        let part = if whole.is_zero() {
            0.0
        } else {
            left.as_secs_f64() / whole.as_secs_f64()
        };
        // At most BAR cells, and at least one while any time is left: an empty bar means expired.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 ..= BAR after the clamp"
        )]
        let full = ((part * BAR as f64).ceil().clamp(0.0, BAR as f64)) as usize;
        let (on, off) = if self.unicode {
            ("█", "░")
        } else {
            ("#", ".")
        };
        on.repeat(full) + &off.repeat(BAR - full)
    }
}
