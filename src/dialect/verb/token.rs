//! `jeton token`: the token and a newline, or with `--json` what the interface answers.

use std::time::Duration;

use super::super::args::{Args, Grammar, Usage};
use super::super::{Parsed, human};
use crate::instant::BootInstant;
use crate::query::{Asked, Freshness, Print, Surroundings, TokenAnswer, TokenQuery};
use crate::wire::frame::{Invocation, Reply};
use crate::wire::{self, TokenReply};

/// The options by which a verb says which token it wants.
pub(in crate::dialect) const TOKEN_OPTIONS: &[&str] = &["--min-valid", "--max-wait"];

/// How a token is printed.
#[derive(Debug, Clone, Copy)]
pub(in crate::dialect) enum Form {
    /// The bare token, and a newline.
    Bare,
    /// What the interface answers.
    Json,
}

const GRAMMAR: Grammar = Grammar {
    usage: "jeton token [PROFILE] [--min-valid S] [--max-wait S] [--json]",
    values: TOKEN_OPTIONS,
    flags: &["--json"],
    profile: true,
};

/// The token that these arguments ask for; it waits no longer than the companion does.
pub(in crate::dialect) fn token_query(
    args: &Args<'_>,
    run: &Invocation,
) -> Result<TokenQuery, Usage> {
    let max_wait = args
        .seconds("--max-wait", wire::MAX_MAX_WAIT)?
        .unwrap_or(wire::DEFAULT_MAX_WAIT);
    Ok(TokenQuery {
        profile: args.profile(),
        min_valid: args
            .seconds("--min-valid", wire::MAX_MIN_VALID)?
            .unwrap_or_default(),
        max_wait: max_wait.min(patience(run)),
    })
}

/// How long the companion will wait for us, less what the way back takes: so that it gets an answer, not a silence.
pub(in crate::dialect) fn patience(run: &Invocation) -> Duration {
    const WAY_BACK: Duration = Duration::from_millis(200);
    run.deadline.map_or(Duration::MAX, |left| {
        left.saturating_sub(WAY_BACK.min(left / 2))
    })
}

/// A line for people when the token handed out is not as they would have it.
pub(in crate::dialect) fn stale_note(answer: &TokenAnswer, now: BootInstant) -> String {
    let profile = &answer.profile;
    let left = answer.held.validity.remaining(now);
    match answer.freshness {
        Freshness::Good => String::new(),
        Freshness::Short => format!(
            "jeton: {profile}: this token holds only {} more; no newer one could be had in time\n",
            human::duration(left)
        ),
        Freshness::Reported => format!(
            "jeton: {profile}: this token was reported as rejected; there is no newer one yet\n"
        ),
    }
}

// === impl Form ===

impl Form {
    pub(in crate::dialect) const fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Bare }
    }
}

impl Print<TokenAnswer> for Form {
    fn print(&self, answer: &TokenAnswer, around: Surroundings<'_>) -> Reply {
        let (stdout, stderr) = match self {
            Self::Bare => (
                [answer.held.token.expose().as_bytes(), b"\n"].concat(),
                stale_note(answer, around.now.boot),
            ),
            // A program that reads JSON finds it there.
            Self::Json => {
                let stale = answer.freshness.is_stale();
                let reply = TokenReply::new(&answer.profile, &answer.held, stale, around.now);
                (reply.to_line(), String::new())
            }
        };
        Reply {
            stdout: stdout.into(),
            stderr,
            exit: 0,
        }
    }
}

/// Reads a run of the verb.
pub(in crate::dialect) fn parse(run: &Invocation) -> Result<Parsed, Usage> {
    let args = GRAMMAR.read(run)?;
    let form = Form::of(args.flag("--json"));
    let query = token_query(&args, run)?;
    Ok(Parsed::Ask(Asked::Token(query, Box::new(form))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::testing::*;

    #[test]
    fn a_token_is_printed_bare_or_as_json() {
        assert_eq!(
            printed(&run(&["token", "research"]), &token_answer(Freshness::Good)),
            reply("T0KEN\n", "", 0)
        );
        assert_eq!(
            printed(&run(&["token", "--json"]), &token_answer(Freshness::Short)),
            reply(
                "{\"profile\":\"research\",\"access_token\":\"T0KEN\",\"token_type\":\"Bearer\",\"expires_in\":3570,\
                 \"expires_at\":1800003570,\"generation\":7,\"stale\":true}\n",
                "",
                0
            )
        );
    }

    #[test]
    fn a_token_that_ends_too_soon_is_printed_with_a_note() {
        let bare = run(&["token", "research", "--min-valid=60"]);
        assert_eq!(
            printed(&bare, &token_answer(Freshness::Short)),
            reply(
                "T0KEN\n",
                "jeton: research: this token holds only 59 min more; no newer one could be had in time\n",
                0
            )
        );
    }

    #[test]
    fn the_wait_ends_before_the_companion_gives_up() {
        let mut short = run(&["token", "--max-wait", "60"]);
        for (deadline, want) in [(2_000, 1_800), (100, 50)] {
            short.deadline = Some(Duration::from_millis(deadline));
            let Asked::Token(query, _) = asked(&short) else {
                panic!()
            };
            assert_eq!(query.max_wait, Duration::from_millis(want));
        }
    }
}
