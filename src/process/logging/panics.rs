//! The report of a panic, before it ends the process.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

use serde_json::Value;
use tracing::Level;

use super::line::Maker;
use super::output;

/// Replaces a message that was built at run time, which may quote anything.
const WITHHELD: &str = "(the message is left out, since it may quote a secret)";

/// Makes a panic print one line with its location. It waits at most 100 ms for that line to be written, or a second
/// while standard error accepts more, and cannot fail. The panic's message is printed only if it is a literal of the
/// program: an `expect` would print the error, and a slice error the whole string.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        output::print_last(|maker| line(info, maker));
    }));
}

fn line(info: &PanicHookInfo<'_>, maker: Maker) -> String {
    let place = info.location().map_or_else(
        || "an unknown place".to_owned(),
        |place| format!("{}:{}:{}", place.file(), place.line(), place.column()),
    );
    let text = info.payload().downcast_ref::<&'static str>();
    let message = format!(
        "panicked at {place}: {}; this is a bug, please report it",
        text.unwrap_or(&WITHHELD)
    );
    let trace = Backtrace::capture();
    let trace = match trace.status() {
        BacktraceStatus::Captured => vec![("backtrace", Value::String(trace.to_string()))],
        _ => vec![],
    };
    maker.line(Level::ERROR, "panic", &message, &trace)
}

#[cfg(test)]
mod tests {
    use std::panic::{catch_unwind, set_hook, take_hook};
    use std::sync::{Arc, Mutex};
    use std::thread;

    use super::super::line::Form;
    use super::*;

    /// Returns the lines that a panic prints in this form.
    fn left_by(form: Form, panics: fn()) -> String {
        let (left, own) = (Arc::new(Mutex::new(String::new())), thread::current().id());
        let usual = Arc::new(take_hook());
        let (lines, others) = (Arc::clone(&left), Arc::clone(&usual));
        set_hook(Box::new(move |info| {
            if thread::current().id() == own {
                let maker = Maker {
                    form,
                    for_journal: false,
                };
                *lines.lock().unwrap() += &line(info, maker);
            } else {
                others(info);
            }
        }));
        assert!(catch_unwind(panics).is_err());
        set_hook(Box::new(move |info| usual(info)));
        let left = left.lock().unwrap();
        left.clone()
    }

    #[test]
    fn a_panic_is_logged_with_its_location_and_without_values() {
        let quotes: fn() = || {
            let secret = std::hint::black_box("the secret");
            assert!(secret.is_empty(), "got {secret}");
        };
        for form in [Form::Plain, Form::Text, Form::Json] {
            let left = left_by(form, || panic!("a literal"));
            assert!(left.contains("src/process/logging/panics.rs:"), "{left}");
            assert!(left.contains(": a literal; "), "{left}");
            assert!(left.ends_with('\n') && left.lines().count() == 1, "{left}");
            let left = left_by(form, quotes);
            assert!(
                left.contains("panics.rs:") && !left.contains("the secret"),
                "{left}"
            );
        }
        let left = left_by(Form::Json, quotes);
        let left: Value = serde_json::from_str(&left).unwrap();
        assert_eq!(
            (&left["level"], &left["target"]),
            (&"ERROR".into(), &"panic".into())
        );
    }
}
