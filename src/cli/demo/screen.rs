//! The output of the demo: permanent lines, and on a terminal a live part below them that is redrawn in place.
//!
//! The cursor is never hidden and no mode of the terminal is changed, so nothing has to be restored at the end.

use std::io::IsTerminal as _;

use rustix::termios::tcgetwinsize;

use super::super::output::{is_lost, print};
use super::line::Line;
use crate::paths::Env;

/// The smallest terminal on which a live part makes sense.
const SMALLEST: (usize, usize) = (40, 12);

/// The output of the demo.
pub(super) struct Screen {
    live: bool,
    colour: bool,
    /// The number of lines that the live part has now.
    drawn: usize,
}

// === impl Screen ===

impl Screen {
    pub(super) fn new(env: &Env) -> Self {
        let clever = !matches!(env.term.as_deref(), None | Some("dumb"));
        let terminal = std::io::stdout().is_terminal() && clever;
        Self {
            live: terminal && size().is_none_or(|(c, r)| c >= SMALLEST.0 && r >= SMALLEST.1),
            colour: terminal && !env.no_color,
            drawn: 0,
        }
    }

    /// Whether there is a live part, which replaces some permanent lines.
    pub(super) const fn is_live(&self) -> bool {
        self.live
    }

    /// Whether standard output has failed.
    pub(super) fn is_gone(&self) -> bool {
        is_lost()
    }

    /// Prints a permanent line.
    pub(super) fn line(&mut self, line: &Line) {
        let text = line.show(usize::MAX, self.colour);
        let text = format!("{}{text}\n", self.up());
        print(&text);
    }

    /// Draws the live part over the one before. No line is wider than the terminal, so the next call can count the
    /// lines to overwrite.
    pub(super) fn draw(&mut self, lines: &[Line]) {
        if !self.live {
            return;
        }
        let columns = size().map_or(80, |(columns, _)| columns);
        let mut text = self.up();
        for line in lines {
            text += &line.show(columns, self.colour);
            text.push('\n');
        }
        self.drawn = lines.len();
        print(&text);
    }

    /// Erases the live part.
    pub(super) fn wipe(&mut self) {
        let text = self.up();
        print(&text);
    }

    /// The text that moves the cursor to the start of the live part, and clears the screen from there.
    fn up(&mut self) -> String {
        match std::mem::take(&mut self.drawn) {
            0 => String::new(),
            n => format!("\x1b[{n}A\r\x1b[J"),
        }
    }
}

/// The terminal's columns and rows; `None` if the terminal does not know.
fn size() -> Option<(usize, usize)> {
    let size = tcgetwinsize(std::io::stdout()).ok()?;
    Some((size.ws_col.into(), size.ws_row.into())).filter(|(c, r)| *c > 0 && *r > 0)
}
