//! A line of the demo: pieces of text, each with a tone.

/// The style of a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Bold,
    Dim,
    Good,
    Warning,
    Bad,
}

/// A line: pieces of text. Text from outside must have been cleaned before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line(Vec<(Tone, String)>);

// === impl Tone ===

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "31",
        }
    }
}

// === impl Line ===

impl Line {
    pub(super) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self::default().and(tone, text)
    }

    /// A command that a person can type.
    pub(super) fn command(command: &str) -> Self {
        Self::new(Tone::Dim, "$ ").and(Tone::Bold, command)
    }

    pub(super) fn and(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.0.push((tone, text.into()));
        self
    }

    /// The line as text, cut to `columns`.
    pub(super) fn show(&self, columns: usize, colour: bool) -> String {
        let mut room = columns;
        let mut shown = String::new();
        for (tone, text) in &self.0 {
            let text: String = text.chars().take(room).collect();
            room -= text.chars().count();
            if colour && *tone != Tone::Plain && !text.is_empty() {
                shown += &format!("\x1b[{}m{text}\x1b[0m", tone.code());
            } else {
                shown += &text;
            }
        }
        shown.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line::new(Tone::Plain, "ab ")
            .and(Tone::Good, "●●")
            .and(Tone::Bad, "c ")
    }

    #[test]
    fn colours_are_printed_only_where_they_are_enabled() {
        assert_eq!(line().show(80, false), "ab ●●c");
        assert_eq!(
            line().show(80, true),
            "ab \x1b[32m●●\x1b[0m\x1b[31mc \x1b[0m"
        );
    }

    #[test]
    fn a_line_is_cut_to_the_width_regardless_of_its_colours() {
        assert_eq!(line().show(4, false), "ab ●");
        assert_eq!(line().show(4, true), "ab \x1b[32m●\x1b[0m");
        assert_eq!(line().show(0, true), "");
    }
}
