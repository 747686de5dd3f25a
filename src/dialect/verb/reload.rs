//! `jeton reload`: the daemon reads its configuration again; one line that says what changed.

use super::super::args::{Grammar, Usage};
use super::super::{Dialect, Outcome, Query, Surroundings, unexpected};
use crate::wire::frame::{Invocation, Reply};

/// The verb.
pub(in crate::dialect) struct Reload;

const GRAMMAR: Grammar = Grammar {
    usage: "jeton reload",
    values: &[],
    flags: &[],
    profile: false,
};

impl Reload {
    pub(in crate::dialect) fn parse(run: &Invocation) -> Result<Self, Usage> {
        GRAMMAR.read(run).map(|_| Self)
    }
}

impl Dialect for Reload {
    fn query(&self) -> Query {
        Query::Reload
    }

    fn render(&self, outcome: &Outcome, _: Surroundings<'_>) -> Reply {
        let Outcome::Reloaded(done) = outcome else {
            return unexpected();
        };
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
