//! Lines made without `tracing`, in the same form: the notice about dropped lines must pass every filter, and the line
//! of a panic must not depend on code that may have panicked.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use tracing::Level;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

/// The form of the lines of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As a command prints a message to a person.
    Plain,
    /// A log line in text.
    Text,
    /// A log line in JSON.
    Json,
}

// === impl Form ===

impl Form {
    /// Makes a line, with its line end.
    pub(super) fn line(
        self,
        level: Level,
        target: &str,
        message: &str,
        fields: &[(&str, Value)],
    ) -> String {
        let mut line = match self {
            Self::Plain => format!("jetond: {message}"),
            Self::Text => {
                let mut line = format!("{} {level:>5} {target}: {message}", now());
                for (name, value) in fields {
                    // Writing to a string cannot fail.
                    let _: std::fmt::Result = write!(line, " {name}={value}");
                }
                line
            }
            Self::Json => {
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
        line
    }

    /// The notice that replaces dropped lines.
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

/// The current time as log lines show it.
pub(super) fn now() -> String {
    let mut text = String::new();
    // A line without its time is better than no line.
    let _: std::fmt::Result = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_a_line_like_the_others() {
        assert_eq!(Form::Plain.gap(3), "jetond: 3 log lines were dropped\n");
        let text = Form::Text.gap(3);
        let (time, rest) = text.split_once(' ').unwrap();
        assert!(time.ends_with('Z'), "{text}");
        let expected = " WARN jetond::process::logging: 3 log lines were dropped dropped=3\n";
        assert_eq!(rest, expected);
        let json = Form::Json.gap(3);
        assert!(json.ends_with("}\n"), "{json}");
        let json: Value = serde_json::from_str(&json).unwrap();
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
