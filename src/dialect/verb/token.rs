//! `jeton token`: the token and a newline, or with `--json` what the interface answers.

use std::time::Duration;

use super::super::args::{Args, Grammar, Usage};
use super::super::{Dialect, Freshness, Outcome, Query, Surroundings, human, unexpected};
use crate::profile::ProfileName;
use crate::wire::frame::{Invocation, Reply};
use crate::wire::{self, TokenReply};

/// The options by which a verb says which token it wants.
pub(in crate::dialect) const TOKEN_OPTIONS: &[&str] = &["--min-valid", "--max-wait"];

/// Which token a verb wants.
pub(in crate::dialect) struct Wish {
    profile: Option<ProfileName>,
    min_valid: Duration,
    max_wait: Duration,
}

/// How a token is printed.
#[derive(Debug, Clone, Copy)]
pub(in crate::dialect) enum Form {
    /// The bare token, and a newline.
    Bare,
    /// What the interface answers.
    Json,
}

/// The verb.
pub(in crate::dialect) struct Token {
    wish: Wish,
    form: Form,
}

const GRAMMAR: Grammar = Grammar {
    usage: "jeton token [PROFILE] [--min-valid S] [--max-wait S] [--json]",
    values: TOKEN_OPTIONS,
    flags: &["--json"],
    profile: true,
};

// === impl Wish ===

impl Wish {
    /// The wish in these arguments; it waits no longer than the companion does.
    pub(in crate::dialect) fn read(args: &Args<'_>, run: &Invocation) -> Result<Self, Usage> {
        let max_wait = args
            .seconds("--max-wait", wire::MAX_MAX_WAIT)?
            .unwrap_or(wire::DEFAULT_MAX_WAIT);
        Ok(Self {
            profile: args.profile(),
            min_valid: args
                .seconds("--min-valid", wire::MAX_MIN_VALID)?
                .unwrap_or_default(),
            max_wait: max_wait.min(patience(run)),
        })
    }

    /// The query for it.
    pub(in crate::dialect) fn query(&self) -> Query {
        Query::Token {
            profile: self.profile.clone(),
            min_valid: self.min_valid,
            max_wait: self.max_wait,
        }
    }
}

/// How long the companion will wait for us, less what the way back takes: so that it gets an answer, not a silence.
pub(in crate::dialect) fn patience(run: &Invocation) -> Duration {
    const WAY_BACK: Duration = Duration::from_millis(200);
    run.deadline.map_or(Duration::MAX, |left| {
        left.saturating_sub(WAY_BACK.min(left / 2))
    })
}

/// A line for people when the token handed out is not as they would have it.
pub(in crate::dialect) fn stale_note(
    profile: &ProfileName,
    freshness: Freshness,
    left: Duration,
) -> String {
    match freshness {
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

    /// The token of this outcome.
    pub(in crate::dialect) fn render(self, outcome: &Outcome, around: Surroundings<'_>) -> Reply {
        let Outcome::Token {
            profile,
            held,
            freshness,
        } = outcome
        else {
            return unexpected();
        };
        let left = held.validity.remaining(around.now.boot);
        let (stdout, stderr) = match self {
            Self::Bare => (
                [held.token.expose().as_bytes(), b"\n"].concat(),
                stale_note(profile, *freshness, left),
            ),
            // Whoever reads JSON finds it there.
            Self::Json => (
                TokenReply::new(profile, held, freshness.is_stale(), around.now).to_line(),
                String::new(),
            ),
        };
        Reply {
            stdout: stdout.into(),
            stderr,
            exit: 0,
        }
    }
}

// === impl Token ===

impl Token {
    pub(in crate::dialect) fn parse(run: &Invocation) -> Result<Self, Usage> {
        let args = GRAMMAR.read(run)?;
        Ok(Self {
            wish: Wish::read(&args, run)?,
            form: Form::of(args.flag("--json")),
        })
    }
}

impl Dialect for Token {
    fn query(&self) -> Query {
        self.wish.query()
    }

    fn render(&self, outcome: &Outcome, around: Surroundings<'_>) -> Reply {
        self.form.render(outcome, around)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::testing::*;

    #[test]
    fn a_token_is_printed_bare_or_as_json() {
        let bare = Token::parse(&run(&["token", "research"])).unwrap();
        assert_eq!(
            bare.render(&token_outcome(Freshness::Good), around()),
            reply("T0KEN\n", "", 0)
        );
        let json = Token::parse(&run(&["token", "--json"])).unwrap();
        assert_eq!(
            json.render(&token_outcome(Freshness::Short), around()),
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
        let bare = Token::parse(&run(&["token", "research", "--min-valid=60"])).unwrap();
        assert_eq!(
            bare.render(&token_outcome(Freshness::Short), around()),
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
        short.deadline = Some(Duration::from_secs(2));
        let Query::Token { max_wait, .. } = Token::parse(&short).unwrap().query() else {
            panic!()
        };
        assert_eq!(max_wait, Duration::from_millis(1_800));
        short.deadline = Some(Duration::from_millis(100));
        let Query::Token { max_wait, .. } = Token::parse(&short).unwrap().query() else {
            panic!()
        };
        assert_eq!(max_wait, Duration::from_millis(50));
    }
}
