//! `jeton exec --env NAME`: the token for the variable, and one line that says when it expires.
//!
//! The companion keeps this standard output to itself; without `--env` it does not ask for a token at all.

use super::super::args::{Grammar, Usage};
use super::super::{Dialect, Outcome, Query, Surroundings, human, unexpected};
use super::token::Wish;
use crate::wire::frame::{Invocation, Reply};

/// The verb.
pub(in crate::dialect) struct Exec {
    wish: Wish,
    name: String,
}

const GRAMMAR: Grammar = Grammar {
    usage: "jeton exec [--env NAME] [PROFILE] -- COMMAND…",
    values: &["--env", "--min-valid", "--max-wait"],
    flags: &[],
    profile: true,
};

impl Exec {
    pub(in crate::dialect) fn parse(run: &Invocation) -> Result<Self, Usage> {
        let args = GRAMMAR.read(run)?;
        let name = args
            .value("--env")
            .ok_or(GRAMMAR.wrong("the name of the variable is missing"))?;
        let first = name
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if !first || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(GRAMMAR.wrong(
                "a variable's name has letters, digits and _, and does not start with a digit",
            ));
        }
        Ok(Self {
            wish: Wish::read(&args, run)?,
            name: name.to_owned(),
        })
    }
}

impl Dialect for Exec {
    fn query(&self) -> Query {
        self.wish.query()
    }

    fn render(&self, outcome: &Outcome, around: Surroundings<'_>) -> Reply {
        let Outcome::Token { profile, held, .. } = outcome else {
            return unexpected();
        };
        let left = held.validity.remaining(around.now.boot);
        Reply {
            stdout: held.token.expose().as_bytes().to_vec().into(),
            stderr: format!(
                "jeton: {} holds a token of {profile} that expires in {}; a longer job asks again with 'jeton token'\n",
                self.name,
                human::duration(left)
            ),
            exit: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Freshness;
    use crate::dialect::testing::*;

    #[test]
    fn the_variable_gets_the_bare_token_and_the_user_a_warning() {
        let exec = Exec::parse(&run(&["exec", "--env", "TOKEN", "research"])).unwrap();
        assert_eq!(
            exec.render(&token_outcome(Freshness::Good), around()),
            reply(
                "T0KEN",
                "jeton: TOKEN holds a token of research that expires in 59 min; a longer job asks again with 'jeton token'\n",
                0
            )
        );
    }
}
