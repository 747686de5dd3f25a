//! The log: standard error, one line an event; for a person on a terminal, or JSON for a collector.

mod json;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::fmt::time::SystemTime;

/// What the log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// Text; with colours on a terminal.
    #[default]
    Auto,
    /// Text without colours.
    Text,
    /// A JSON object a line.
    Json,
}

/// A filter that cannot be read.
#[derive(Debug)]
pub struct InvalidFilter;

impl std::fmt::Display for InvalidFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JETON_LOG is not a filter; write a level (error, warn, info, debug, trace) or TARGET=LEVEL,…")
    }
}

impl std::error::Error for InvalidFilter {}

/// A word that is no level would be taken for a target, and everything else would be silent: `verbose`, for one.
fn is_mistyped_level(part: &str) -> bool {
    let part = part.trim();
    let is_word = !part.is_empty() && !part.contains(['=', '[', ':']);
    is_word && part.parse::<LevelFilter>().is_err()
}

/// Starts the log. `filter` is the value of `JETON_LOG`; without it, state changes and worse are logged.
///
/// # Errors
/// [`InvalidFilter`].
pub fn start(format: LogFormat, filter: Option<&str>, no_color: bool) -> Result<(), InvalidFilter> {
    let filter = filter.unwrap_or("info");
    if filter.split(',').any(is_mistyped_level) {
        return Err(InvalidFilter);
    }
    let filter = EnvFilter::builder()
        .parse(filter)
        .map_err(|_| InvalidFilter)?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_timer(SystemTime);
    let started = match format {
        LogFormat::Json => log
            .log_internal_errors(false)
            .fmt_fields(JsonFields::new())
            .event_format(json::Json)
            .try_init(),
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Auto => {
            let ansi = std::io::stderr().is_terminal() && !no_color;
            log.with_ansi(ansi).try_init()
        }
    };
    // A second start in one process keeps the first log: only tests do that.
    drop(started);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_must_be_a_level_and_targets_are_left_alone() {
        for good in [
            "",
            "info",
            " WARN ",
            "off",
            "jetond=debug",
            "jetond::cli",
            "[span]=trace",
        ] {
            assert!(!is_mistyped_level(good), "{good:?}");
        }
        for bad in ["verbose", "inf", "debug trace"] {
            assert!(is_mistyped_level(bad), "{bad:?}");
        }
    }
}
