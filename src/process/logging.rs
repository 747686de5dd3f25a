//! The log: standard error, one line per event; as text for a person, or as JSON for a collector.
//!
//! An event becomes a line in the thread where it happens, and waits in a `queue` for the one thread that writes
//! (`output`, `writer`). Only that thread is exposed to problems of standard error: a full disk, a pipe without a
//! reader, a terminal that Ctrl-S stopped or that was closed. Lines that could not be written are counted, and the log
//! reports the count when it can be written again.

mod journal;
mod json;
mod line;
mod output;
mod panics;
mod printable;
mod queue;
mod sink;
mod text;
mod writer;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use self::line::Form;
pub use self::output::FlushOnDrop;
pub use self::panics::report_panics;
pub use self::printable::{printable, printable_json};

/// The name of the span around all work of a profile's task (`keeper`). Its field `profile` is part of each line.
const PROFILE_SPAN: &str = "profile";

/// Whether the lines of the log have colours.
static IS_COLOURED: AtomicBool = AtomicBool::new(false);

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// Text; with colours on a terminal.
    #[default]
    Auto,
    /// Text without colours.
    Text,
    /// One JSON object per line.
    Json,
}

/// The error for a filter that cannot be parsed.
#[derive(Debug)]
pub struct InvalidFilter;

impl std::fmt::Display for InvalidFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JETON_LOG is not a filter; write a level (error, warn, info, debug, trace) or TARGET=LEVEL,…")
    }
}

impl std::error::Error for InvalidFilter {}

/// Reports whether a part of the filter is a mistyped level, such as `verbose`. The filter would interpret it as a
/// target, and log nothing else.
fn is_mistyped_level(part: &str) -> bool {
    let part = part.trim();
    let is_word = !part.is_empty() && !part.contains(['=', '[', ':']);
    is_word && part.parse::<LevelFilter>().is_err()
}

/// Detects whether standard error is the journal; if so, each line gets its priority. `journal_stream` is the value of
/// `JOURNAL_STREAM`.
pub fn recognize_journal(journal_stream: Option<&OsStr>) {
    let variable = journal_stream.and_then(OsStr::to_str);
    output::is_journal(variable.is_some_and(journal::is_stderr));
}

/// Prints a line for people on standard error, with control characters escaped.
pub fn tell(level: Level, line: impl Display) {
    let line = line.to_string();
    output::print(level, &format!("jetond: {}\n", printable(&line)));
}

/// Prints a text for people on standard error as it is. It has to include its line ends.
pub fn tell_text(level: Level, text: &str) {
    output::print(level, text);
}

/// Puts standard error behind the log's queue, so that neither the log nor [`tell`] waits for it from now on. Without a
/// format the process has no log, and only [`tell`] prints.
pub fn queue_stderr(format: Option<LogFormat>) -> FlushOnDrop {
    output::start(match format {
        None => Form::Plain,
        Some(LogFormat::Auto | LogFormat::Text) => Form::Text,
        Some(LogFormat::Json) => Form::Json,
    })
}

/// Starts the log. `filter` is the value of `JETON_LOG`; the default level is `info`.
///
/// # Errors
/// [`InvalidFilter`] if the filter cannot be parsed.
pub fn start(format: LogFormat, filter: Option<&str>, no_color: bool) -> Result<(), InvalidFilter> {
    let filter = filter.unwrap_or("info");
    if filter.split(',').any(is_mistyped_level) {
        return Err(InvalidFilter);
    }
    let filter = EnvFilter::builder()
        .parse(filter)
        .map_err(|_| InvalidFilter)?;
    // The filter decides which lines are logged; it must not decide whether a line names its profile.
    let spans = filter_fn(|meta| meta.is_span() && meta.name() == PROFILE_SPAN && is_ours(meta));
    let filter = filter.or(spans.with_max_level_hint(LevelFilter::ERROR));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(Lines)
        // Internal errors would go to standard error through a macro that panics when the write fails.
        .log_internal_errors(false);
    let lines = match format {
        LogFormat::Json => lines
            .fmt_fields(JsonFields::new())
            .event_format(json::Json)
            .boxed(),
        LogFormat::Text | LogFormat::Auto => {
            // The journal adds the time of each line, and is not a terminal.
            let for_journal = output::maker().for_journal;
            let may_colour = format == LogFormat::Auto && !for_journal && !no_color;
            let is_coloured = may_colour && io::stderr().is_terminal();
            IS_COLOURED.store(is_coloured, Ordering::Relaxed);
            let text = text::Text {
                has_time: !for_journal,
            };
            lines
                .with_ansi(is_coloured)
                .fmt_fields(text::SpanProfile)
                .event_format(text)
                .boxed()
        }
    };
    let started = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init();
    // A second start in one process keeps the first log; only tests do that.
    drop(started);
    Ok(())
}

fn is_ours(meta: &Metadata<'_>) -> bool {
    meta.target().starts_with(env!("CARGO_CRATE_NAME"))
}

/// The maker of writers for the lines of events.
struct Lines;

/// The writer for the line of one event with this level. It receives the line in one piece.
struct Line(Level);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(Level::INFO)
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line {
        Line(*meta.level())
    }
}

impl io::Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // The bytes come from a string, so this copies nothing.
        let text = String::from_utf8_lossy(line);
        let body = text.strip_suffix('\n').unwrap_or(&text);
        let shown = match output::maker().form {
            Form::Json => printable_json(body),
            // `Text` has escaped the values of a coloured line.
            _ if IS_COLOURED.load(Ordering::Relaxed) => printable::printable_in_colour(body),
            _ => printable(body),
        };
        match shown {
            Cow::Borrowed(_) => output::print(self.0, &text),
            Cow::Owned(shown) => output::print(self.0, &format!("{shown}\n")),
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_log_level_is_detected_and_targets_are_not() {
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
