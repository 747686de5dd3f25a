//! `jeton reload`: the daemon reads its configuration again; one line that says what changed.

use super::super::Parsed;
use super::super::args::{Grammar, Usage};
use crate::query::{Asked, Print, Reloaded, Surroundings};
use crate::wire::frame::{Invocation, Reply};

struct Reload;

const GRAMMAR: Grammar = Grammar {
    usage: "jeton reload",
    values: &[],
    flags: &[],
    profile: false,
};

/// Reads a run of the verb.
pub(in crate::dialect) fn parse(run: &Invocation) -> Result<Parsed, Usage> {
    GRAMMAR.read(run)?;
    Ok(Parsed::Ask(Asked::Reload(Box::new(Reload))))
}

impl Print<Reloaded> for Reload {
    fn print(&self, done: &Reloaded, _: Surroundings<'_>) -> Reply {
        let line = format!(
            "reloaded: {} added, {} removed, {} changed, {} unchanged\n",
            done.added, done.removed, done.changed, done.kept
        );
        let stderr = if done.restart_needed {
            "jeton: restart needed: the socket's mode has changed, and the daemon keeps the old one until then\n"
        } else {
            ""
        };
        Reply {
            stdout: line.into_bytes().into(),
            stderr: stderr.to_owned(),
            ..Reply::default()
        }
    }
}
