//! A fault in the configuration, with its place.

use std::fmt;

/// A fault. It quotes names of keys but no values, since a value may be a misplaced secret. Of an address it quotes
/// only the parts that are very unlikely to be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The key with its tables, such as `profiles.research.url`; empty if the text is not TOML.
    pub key: String,
    /// What is wrong, without the key.
    pub message: String,
    /// A suggestion of what was meant.
    pub suggestion: Option<String>,
}

// === impl ConfigFault ===

impl ConfigFault {
    /// Creates a fault at this byte of the text.
    pub(crate) fn at(text: &str, offset: usize, key: &str, message: impl Into<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        // A byte order mark takes no room on a screen.
        let shown = |c: &char| *c != '\u{feff}';
        let column = before.get(start..).unwrap_or("").chars().filter(shown);
        Self {
            line: 1 + before.matches('\n').count(),
            column: 1 + column.count(),
            key: key.to_owned(),
            message: message.into(),
            suggestion: None,
        }
    }

    /// Creates a fault for a byte that is not UTF-8; all bytes before it are.
    pub(crate) fn not_utf8(bytes: &[u8], offset: usize) -> Self {
        let before = String::from_utf8_lossy(bytes.get(..offset).unwrap_or(bytes));
        Self::at(
            &before,
            before.len(),
            "",
            "this is not UTF-8: save the file as UTF-8",
        )
    }

    /// Writes what is wrong, without the place.
    pub(super) fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, " (did you mean {suggestion}?)"),
            None => Ok(()),
        }
    }

    /// Adds a suggestion.
    #[must_use]
    pub(crate) fn suggest(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }
}

impl fmt::Display for ConfigFault {
    /// Writes `LINE:COLUMN: KEY: MESSAGE (did you mean …?)`, to follow the file's name and a colon.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        self.say(f)
    }
}

impl std::error::Error for ConfigFault {}
