//! One line of text per event: time, level, profile, sentence, and the remaining fields. At `info` and above, lines are
//! for people: they have neither the module's path nor the generation of a token. JSON has both.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::line;
use super::printable::printable;

/// The parameters of the escape sequences (SGR) for parts of a line.
const BOLD: &str = "1";
const DIM: &str = "2";

/// The text format.
pub(super) struct Text {
    /// Whether a line begins with its time. The journal adds the time of each line.
    pub(super) has_time: bool,
}

/// The format of a span's fields: the name of its profile, and nothing else.
pub(super) struct SpanProfile;

/// The parts of a line, from the fields of an event or a span.
#[derive(Default)]
struct Parts {
    profile: String,
    message: String,
    /// The other fields, each as ` name=value`.
    details: String,
    /// Whether a generation is one of the details.
    has_generation: bool,
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "profile" | "message" => self.record_debug(field, &format_args!("{value}")),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Not `format!`, which panics when a value cannot be formatted.
        let _: fmt::Result = match field.name() {
            "profile" => write!(self.profile, "{value:?}"),
            "message" => write!(self.message, "{value:?}"),
            "generation" if !self.has_generation => Ok(()),
            name => {
                // A program must write `r#type` for a field whose name is a Rust keyword.
                let name = name.strip_prefix("r#").unwrap_or(name);
                write!(self.details, " {name}={value:?}")
            }
        };
    }
}

impl<'writer> FormatFields<'writer> for SpanProfile {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut parts = Parts::default();
        fields.record(&mut parts);
        writer.write_str(&parts.profile)
    }
}

impl<S> FormatEvent<S, SpanProfile> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, SpanProfile>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let is_for_people = level <= Level::INFO;
        let mut parts = Parts {
            has_generation: !is_for_people,
            ..Parts::default()
        };
        event.record(&mut parts);
        if parts.profile.is_empty() {
            // From the innermost span outwards.
            let mut spans = context.event_scope().into_iter().flatten();
            let profile = spans.find_map(|span| {
                let extensions = span.extensions();
                let fields = extensions.get::<FormattedFields<SpanProfile>>()?;
                let profile = fields.fields.clone();
                (!profile.is_empty()).then_some(profile)
            });
            parts.profile = profile.unwrap_or_default();
        }
        let has_colours = writer.has_ansi_escapes();
        let in_colour = |sequence: &str, text: &str| match has_colours {
            true => format!("\x1b[{sequence}m{text}\x1b[0m"),
            false => text.to_owned(),
        };
        if self.has_time {
            write!(writer, "{} ", in_colour(DIM, &line::now()))?;
        }
        let word = format!("{:>5}", level.as_str());
        write!(writer, "{} ", in_colour(colour(level), &word))?;
        // The values are escaped here, because the escape sequences of a coloured line are kept later.
        if !parts.profile.is_empty() {
            let profile = printable(&parts.profile);
            write!(writer, "{}: ", in_colour(BOLD, &profile))?;
        }
        if !is_for_people {
            write!(writer, "{}: ", in_colour(DIM, target))?;
        }
        let (message, details) = (printable(&parts.message), printable(&parts.details));
        writeln!(writer, "{message}{details}")
    }
}

/// Returns the parameter of the escape sequence (SGR) that colours a level.
fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "31",
        Level::WARN => "33",
        Level::INFO => "32",
        Level::DEBUG => "34",
        Level::TRACE => "35",
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::{debug, error_span, info, warn};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the lines of these events.
    fn lines(text: Text, has_colours: bool, events: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let end = buffer.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || end.clone())
            .with_ansi(has_colours)
            .fmt_fields(SpanProfile)
            .event_format(text);
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, events);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_info_log_line_has_profile_and_message_but_no_module_path() {
        let text = lines(Text { has_time: false }, false, || {
            info!(socket = %"/run/s", "serving");
            error_span!("profile", profile = %"research").in_scope(|| {
                info!(
                    generation = 1_764_531_234_567_u64,
                    held_for = 3_600,
                    "new token"
                );
                warn!(detail = "no answer", profile = %"other", "refresh failed");
            });
        });
        let expected = " INFO serving socket=/run/s\n INFO research: new token held_for=3600\n WARN other: refresh failed detail=\"no answer\"\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_debug_log_line_has_the_module_path_and_the_generation() {
        let text = lines(Text { has_time: false }, false, || {
            debug!(profile = "research", generation = 7, "asked");
        });
        let path = module_path!();
        let expected = format!("DEBUG research: {path}: asked generation=7\n");
        assert_eq!(text, expected);
    }

    #[test]
    fn a_log_line_starts_with_its_time_except_in_the_journal() {
        let text = lines(Text { has_time: true }, false, || info!("stopping"));
        let (time, rest) = text.split_once(' ').unwrap();
        assert!(time.ends_with('Z'), "{text}");
        assert_eq!(rest, " INFO stopping\n");
    }

    #[test]
    fn control_characters_in_values_are_escaped_with_colours_too() {
        let text = lines(Text { has_time: false }, true, || {
            info!(path = %"a\x1b[2J\nb", "seen \x1b[1m");
        });
        let expected = "\x1b[32m INFO\x1b[0m seen \\x1b[1m path=a\\x1b[2J\\x0ab\n";
        assert_eq!(text, expected);
    }
}
