//! `jeton ready`: exits with code 0 and no output when ready, for probes and scripts.

use std::time::Duration;

use super::super::args::{Grammar, Opt, Profile, Takes, Usage};
use super::super::call::{Call, Parsed};
use super::super::token_request::patience;
use crate::query::{Asked, Print, ReadyQuery, Surroundings};
use crate::wire::frame::Reply;

static WAIT: Opt = Opt {
    name: "--wait",
    // The start of a job may wait for a daemon, but not forever.
    takes: Takes::Seconds(Duration::from_secs(3_600)),
    help: "wait at most S seconds for it (0)",
};

pub(super) static GRAMMAR: Grammar = Grammar {
    verb: "ready",
    usage: "[PROFILE] [--wait S]",
    does: "succeed when a token can be served; --wait S waits for it",
    options: &[&WAIT],
    profile: Profile::ArgumentOrVariable,
};

struct Silence;

/// Parses a call.
pub(super) fn parse(call: &Call<'_>) -> Result<Parsed, Usage> {
    let args = GRAMMAR.read(call)?;
    let wait = args.seconds(&WAIT)?.unwrap_or_default();
    let query = ReadyQuery {
        profile: args.profile(),
        wait: wait.min(patience(call)),
    };
    Ok(Parsed::Ask(Asked::Ready(query, Box::new(Silence))))
}

impl Print<()> for Silence {
    fn print(&self, (): &(), _: Surroundings<'_>) -> Reply {
        Reply::default()
    }
}
