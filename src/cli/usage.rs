//! What clap says of arguments that make no sense, without what was typed: somebody may have pasted a secret there, and
//! standard error is often a log.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What stands in the place of what was typed.
const HIDDEN: &str = "…";

/// The same error, naming options and never values.
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
    // In the other kinds of error it is the name of an argument of ours.
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
        // How to pass what was typed as a value.
        error.remove(ContextKind::Suggested);
    }
    error
}
