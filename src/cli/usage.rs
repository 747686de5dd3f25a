//! Errors about wrong arguments, without the arguments' text: a user may have pasted a secret there, and standard error
//! is often a log.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The replacement of the typed text.
const HIDDEN: &str = "…";

/// Rewrites the error so that it names options and never values.
pub(super) fn without_values(mut error: clap::Error) -> clap::Error {
    let text = |error: &clap::Error, kind| match error.get(kind) {
        Some(ContextValue::String(text)) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    let say = |error: &mut clap::Error, kind, text: &str| {
        error.insert(kind, ContextValue::String(text.to_owned()));
    };
    for kind in [ContextKind::InvalidValue, ContextKind::InvalidSubcommand] {
        if text(&error, kind).is_some() {
            say(&mut error, kind, HIDDEN);
        }
    }
    // In other kinds of error it is the name of one of our own arguments.
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(typed) = text(&error, ContextKind::InvalidArg)
    {
        let name = typed.split('=').next().unwrap_or_default();
        let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        let shown = if name.starts_with("--") && is_name(name) {
            name
        } else {
            HIDDEN
        };
        say(&mut error, ContextKind::InvalidArg, shown);
        // The advice on how to pass the typed text as a value.
        error.remove(ContextKind::Suggested);
    }
    error
}
