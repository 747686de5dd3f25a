//! One JSON object per line: `timestamp`, `level`, `target`, `message`, and the fields of the event and of its spans,
//! all at the top level. So a collector finds a profile under the same name in every line.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::line;

/// The JSON format.
pub(super) struct Json;

/// The fields of an event.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Not `format!`, which panics when a value cannot be formatted.
        let _: fmt::Result = fmt::write(&mut text, format_args!("{value:?}"));
        self.set(field, text.into());
    }
}

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        // A program must write `r#type` for a field whose name is a Rust keyword.
        let name = field.name();
        let name = name.strip_prefix("r#").unwrap_or(name);
        self.0.insert(name.to_owned(), value);
    }
}

impl<S> FormatEvent<S, JsonFields> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let timestamp = line::now();
        let mut object = Map::new();
        // From the outermost span inwards, so that inner fields override outer ones.
        for span in context
            .event_scope()
            .into_iter()
            .flat_map(|s| s.from_root())
        {
            if let Some(fields) = span.extensions().get::<FormattedFields<JsonFields>>() {
                object.extend(serde_json::from_str::<Map<_, _>>(fields).unwrap_or_default());
            }
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        object.append(&mut fields.0);
        let meta = event.metadata();
        for (name, value) in [
            ("timestamp", timestamp.as_str()),
            ("level", meta.level().as_str()),
            ("target", meta.target()),
        ] {
            object.insert(name.to_owned(), value.into());
        }
        writeln!(writer, "{}", Value::Object(object))
    }
}
