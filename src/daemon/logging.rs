//! The log: standard error, one line an event; for a person on a terminal, or JSON for a collector.

mod json;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
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

/// Starts the log. `filter` is the value of `JETON_LOG`; without it, state changes and worse are logged.
///
/// # Errors
/// [`InvalidFilter`].
pub fn start(format: LogFormat, filter: Option<&str>, no_color: bool) -> Result<(), InvalidFilter> {
    let filter = EnvFilter::builder()
        .parse(filter.unwrap_or("info"))
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
