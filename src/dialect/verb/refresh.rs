//! `jeton refresh`: fetches a new token now, and prints one line with its expiry.

use std::time::Duration;

use super::super::args::{Grammar, Profile, Usage};
use super::super::call::{Call, Parsed};
use super::super::human;
use crate::query::{Asked, Print, ProfileState, Surroundings};
use crate::wire::frame::Reply;

pub(super) static GRAMMAR: Grammar = Grammar {
    verb: "refresh",
    usage: "[PROFILE]",
    does: "get a new token now",
    options: &[],
    profile: Profile::ArgumentOrVariable,
};

struct Refresh;

/// Parses a call.
pub(super) fn parse(call: &Call<'_>) -> Result<Parsed, Usage> {
    let profile = GRAMMAR.read(call)?.profile();
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
