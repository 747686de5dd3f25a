//! `jeton ready`: exits with code 0 and no output when ready, for probes and scripts.

use std::time::Duration;

use super::super::args::{Grammar, Opt, OptionArgument, Profile, Usage};
use super::super::call::{Call, NextStep};
use super::super::token_request::wait_limit;
use crate::query::{Print, PrintContext, Question, ReadyQuery};
use crate::wire::frame::Reply;

static WAIT: Opt = Opt {
    name: "--wait",
    // The start of a job may wait for a daemon, but not forever.
    takes: OptionArgument::Seconds(Duration::from_secs(3_600)),
    help: "wait at most S seconds (0)",
};

pub(super) static GRAMMAR: Grammar = Grammar {
    verb: "ready",
    usage: "[PROFILE] [--wait S]",
    does: "succeed if a token can be served; --wait S waits for one",
    options: &[&WAIT],
    profile: Profile::ArgumentOrVariable,
};

struct NoOutput;

/// Parses a call.
pub(super) fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    let args = GRAMMAR.read(call)?;
    let wait = args.seconds(&WAIT)?.unwrap_or_default();
    let query = ReadyQuery {
        profile: args.profile(),
        wait: wait.min(wait_limit(call)),
    };
    Ok(NextStep::Ask(Question::Ready(query, Box::new(NoOutput))))
}

impl Print<()> for NoOutput {
    fn print(&self, (): &(), _: PrintContext<'_>) -> Reply {
        Reply::default()
    }
}
