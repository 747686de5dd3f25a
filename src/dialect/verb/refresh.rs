//! `jeton refresh`: fetches a new token now, and prints one line with its expiry.

use std::time::Duration;

use super::super::args::{Grammar, Profile, Usage};
use super::super::call::{Call, NextStep};
use super::super::human;
use super::super::token_request::wait_limit;
use crate::query::{Print, PrintContext, ProfileState, Question, RefreshQuery};
use crate::wire;
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
pub(super) fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    let query = RefreshQuery {
        profile: GRAMMAR.read(call)?.profile(),
        max_wait: wire::DEFAULT_MAX_WAIT.min(wait_limit(call)),
    };
    Ok(NextStep::Ask(Question::Refresh(query, Box::new(Refresh))))
}

impl Print<ProfileState> for Refresh {
    fn print(&self, state: &ProfileState, _: PrintContext<'_>) -> Reply {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::testing::*;

    #[test]
    fn a_refresh_ends_before_the_companion_gives_up() {
        let mut short = run(&["refresh", "research"]);
        for (deadline, want) in [
            (None, 5_000),
            (Some(30_000), 5_000),
            (Some(2_000), 1_800),
            (Some(100), 50),
        ] {
            short.deadline = deadline.map(Duration::from_millis);
            let Question::Refresh(query, _) = asked(&short) else {
                panic!()
            };
            assert_eq!(query.max_wait, Duration::from_millis(want), "{deadline:?}");
        }
    }
}
