//! Log lines that are built without `tracing`, in the same form. The notice about dropped lines must pass every filter,
//! and the line of a panic must not depend on code that may have panicked.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::{Map, Value};
use tracing::Level;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use super::journal;

/// The form of a process's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The form of messages of a command for a person.
    Plain,
    /// A log line in text.
    Text,
    /// A log line in JSON.
    Json,
}

/// Builds the lines of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Maker {
    pub(super) form: Form,
    /// Whether the journal reads the lines. If so, each has its priority, and text has no time.
    pub(super) for_journal: bool,
}

// === impl Maker ===

impl Maker {
    /// Builds a line, including its line end.
    pub(super) fn line(
        self,
        level: Level,
        target: &str,
        message: &str,
        fields: &[(&str, Value)],
    ) -> String {
        let mut line = match self.form {
            Form::Plain => format!("jetond: {message}"),
            Form::Text => {
                let mut line = format!("{level:>5} {message}");
                if !self.for_journal {
                    line = format!("{} {line}", now());
                }
                for (name, value) in fields {
                    // Writing to a string cannot fail.
                    let _: std::fmt::Result = write!(line, " {name}={value}");
                }
                line
            }
            Form::Json => {
                let mut line: Map<_, _> = fields
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect();
                for (name, value) in [
                    ("timestamp", now().as_str()),
                    ("level", level.as_str()),
                    ("target", target),
                    ("message", message),
                ] {
                    line.insert(name.to_owned(), value.into());
                }
                Value::Object(line).to_string()
            }
        };
        line.push('\n');
        self.with_priority(level, &line).into_owned()
    }

    /// Adds the priority to the text of an event or a message, if the journal reads it.
    pub(super) fn with_priority(self, level: Level, text: &str) -> Cow<'_, str> {
        if self.for_journal {
            journal::with_priority(level, text).into()
        } else {
            text.into()
        }
    }

    /// Builds the notice that replaces dropped lines.
    pub(super) fn gap(self, dropped: u64) -> String {
        let message = format!("{dropped} log lines were dropped");
        self.line(
            Level::WARN,
            "jetond::process::logging",
            &message,
            &[("dropped", dropped.into())],
        )
    }
}

/// Formats the current time for log lines.
pub(super) fn now() -> String {
    let mut text = String::new();
    // A line without its time is better than no line.
    let _: std::fmt::Result = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(form: Form, for_journal: bool) -> String {
        Maker { form, for_journal }.gap(3)
    }

    #[test]
    fn dropped_log_lines_are_reported_in_the_configured_format() {
        assert_eq!(
            gap(Form::Plain, false),
            "jetond: 3 log lines were dropped\n"
        );
        let text = gap(Form::Text, false);
        let (time, rest) = text.split_once(' ').unwrap();
        assert!(time.ends_with('Z'), "{text}");
        let expected = " WARN 3 log lines were dropped dropped=3\n";
        assert_eq!(rest, expected);
        assert_gap_in_json(&gap(Form::Json, false));
    }

    #[test]
    fn a_line_for_the_journal_begins_with_its_priority_and_has_no_time_in_text() {
        assert_eq!(
            gap(Form::Plain, true),
            "<4>jetond: 3 log lines were dropped\n"
        );
        assert_eq!(
            gap(Form::Text, true),
            "<4> WARN 3 log lines were dropped dropped=3\n"
        );
        assert_gap_in_json(gap(Form::Json, true).strip_prefix("<4>").unwrap());
    }

    #[track_caller]
    fn assert_gap_in_json(json: &str) {
        assert!(json.ends_with("}\n"), "{json}");
        let json: Value = serde_json::from_str(json).unwrap();
        for (name, value) in [
            ("level", Value::from("WARN")),
            ("target", "jetond::process::logging".into()),
            ("message", "3 log lines were dropped".into()),
            ("dropped", 3.into()),
        ] {
            assert_eq!(json[name], value);
        }
        assert!(
            json["timestamp"]
                .as_str()
                .is_some_and(|time| time.ends_with('Z'))
        );
    }
}
