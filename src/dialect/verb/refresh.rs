//! `jeton refresh`: a new token, now; one line that says until when it holds.

use std::time::Duration;

use super::super::args::{Grammar, Usage};
use super::super::{Parsed, human};
use crate::query::{Asked, Print, ProfileState, Surroundings};
use crate::wire::frame::{Invocation, Reply};

struct Refresh;

const GRAMMAR: Grammar = Grammar {
    usage: "jeton refresh [PROFILE]",
    values: &[],
    flags: &[],
    profile: true,
};

/// Reads a run of the verb.
pub(in crate::dialect) fn parse(run: &Invocation) -> Result<Parsed, Usage> {
    let profile = GRAMMAR.read(run)?.profile();
    Ok(Parsed::Ask(Asked::Refresh(profile, Box::new(Refresh))))
}

impl Print<ProfileState> for Refresh {
    fn print(&self, state: &ProfileState, _: Surroundings<'_>) -> Reply {
        let left = Duration::from_secs(state.reply.expires_in.unwrap_or_default());
        let line = format!(
            "{}: a new token, valid for {}\n",
            state.reply.profile,
            human::duration(left)
        );
        Reply {
            stdout: line.into_bytes().into(),
            ..Reply::default()
        }
    }
}
