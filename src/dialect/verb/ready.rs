//! `jeton ready`: silence and exit code 0 when it is, for probes and scripts.

use std::time::Duration;

use super::super::Parsed;
use super::super::args::{Grammar, Usage};
use super::token::patience;
use crate::query::{Asked, Print, ReadyQuery, Surroundings};
use crate::wire::frame::{Invocation, Reply};

/// The longest wait of a probe: a job's start may wait for a daemon for a while, not for ever.
const MAX_WAIT: Duration = Duration::from_secs(3_600);

struct Silence;

const GRAMMAR: Grammar = Grammar {
    usage: "jeton ready [PROFILE] [--wait S]",
    values: &["--wait"],
    flags: &[],
    profile: true,
};

/// Reads a run of the verb.
pub(in crate::dialect) fn parse(run: &Invocation) -> Result<Parsed, Usage> {
    let args = GRAMMAR.read(run)?;
    let wait = args.seconds("--wait", MAX_WAIT)?;
    let query = ReadyQuery {
        profile: args.profile(),
        wait: wait.map_or(Duration::ZERO, |wait| wait.min(patience(run))),
    };
    Ok(Parsed::Ask(Asked::Ready(query, Box::new(Silence))))
}

impl Print<()> for Silence {
    fn print(&self, (): &(), _: Surroundings<'_>) -> Reply {
        Reply::default()
    }
}
