//! One JSON object a line: `timestamp`, `level`, `target`, `message`, and the fields of the event and of the spans around
//! it, all side by side, so that a collector finds a profile by one name wherever the line comes from.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::line;

/// The format.
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
        // Not by `format!`, which panics when a value cannot be formatted.
        let _: fmt::Result = fmt::write(&mut text, format_args!("{value:?}"));
        self.set(field, text.into());
    }
}

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        // `r#type` is how a program has to spell a field that is a word of Rust's.
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
        // From the outermost span in: what is nearer says more.
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
