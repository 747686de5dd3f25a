//! `jeton exec --env NAME`: the token for the variable, and one line that says when it expires.
//!
//! The companion keeps this standard output to itself; without `--env` it does not ask for a token at all.

use super::super::args::{Grammar, Usage};
use super::super::{Parsed, human};
use super::token::token_query;
use crate::query::{Asked, Print, Surroundings, TokenAnswer};
use crate::wire::frame::{Invocation, Reply};

/// For a variable of this name.
struct Exec {
    name: String,
}

const GRAMMAR: Grammar = Grammar {
    usage: "jeton exec [--env NAME] [PROFILE] -- COMMAND…",
    values: &["--env", "--min-valid", "--max-wait"],
    flags: &[],
    profile: true,
};

/// Reads a run of the verb.
pub(in crate::dialect) fn parse(run: &Invocation) -> Result<Parsed, Usage> {
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
    let name = name.to_owned();
    let query = token_query(&args, run)?;
    Ok(Parsed::Ask(Asked::Token(query, Box::new(Exec { name }))))
}

impl Print<TokenAnswer> for Exec {
    fn print(&self, answer: &TokenAnswer, around: Surroundings<'_>) -> Reply {
        let TokenAnswer { profile, held, .. } = answer;
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
    use crate::dialect::testing::*;
    use crate::query::Freshness;

    #[test]
    fn the_variable_gets_the_bare_token_and_the_user_a_warning() {
        let exec = run(&["exec", "--env", "TOKEN", "research"]);
        assert_eq!(
            printed(&exec, &token_answer(Freshness::Good)),
            reply(
                "T0KEN",
                "jeton: TOKEN holds a token of research that expires in 59 min; a longer job asks again with 'jeton token'\n",
                0
            )
        );
    }
}
