//! The log: standard error, one line an event; for a person on a terminal, or JSON for a collector.

use std::fmt;
use std::io::IsTerminal;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

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

impl fmt::Display for InvalidFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
            .event_format(FlatJson)
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

/// An event as one flat object: the fields of the spans around it, such as the profile, are where a collector looks for
/// them, beside its own.
struct FlatJson;

impl<S, N> FormatEvent<S, N> for FlatJson
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Fields::default();
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>();
            // An empty text when the span has none.
            if let Some(Ok(fields)) = fields.map(|fields| serde_json::from_str(&fields.fields)) {
                let mut fields: Map<String, Value> = fields;
                line.0.append(&mut fields);
            }
        }
        event.record(&mut line);
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let meta = event.metadata();
        line.put("timestamp", timestamp);
        line.put("level", meta.level().as_str());
        line.put("target", meta.target());
        writeln!(writer, "{}", Value::Object(line.0))
    }
}

/// Fields as JSON.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), format!("{value:?}"));
    }
}
