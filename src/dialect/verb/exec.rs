//! `jeton exec --env NAME`: the token for the variable, and one line with its expiry.
//!
//! The companion does not print this output; without `--env` it does not ask for a token at all.

use super::super::args::{Grammar, Opt, Profile, Takes, Usage};
use super::super::call::{Call, Parsed};
use super::super::human;
use super::super::token_request::{token_between, token_query};
use crate::query::{Asked, Print, Surroundings, TokenAnswer};
use crate::wire::frame::Reply;

static ENV: Opt = Opt {
    name: "--env",
    takes: Takes::Word {
        name: "NAME",
        what: "a name of letters, digits and _; no digit comes first",
    },
    help: "the variable that gets the token",
};

pub(super) static GRAMMAR: Grammar = Grammar {
    verb: "exec",
    usage: "[--env NAME] [PROFILE] -- COMMAND...",
    does: "run COMMAND with JETON_SOCKET and JETON_PROFILE set, and
with the token in the variable NAME if --env is given",
    options: &[&ENV],
    profile: Profile::ArgumentOrVariable,
};

/// Prints the token for a variable of this name.
struct Exec {
    name: String,
}

/// Parses a call.
pub(super) fn parse(call: &Call<'_>) -> Result<Parsed, Usage> {
    let args = GRAMMAR.read(call)?;
    let name = args.parsed(&ENV, |name| is_name(name).then(|| name.to_owned()))?;
    let name = name.ok_or(GRAMMAR.wrong("the name of the variable is missing"))?;
    let query = token_query(&args, call)?;
    Ok(Parsed::Ask(Asked::Token(query, Box::new(Exec { name }))))
}

fn is_name(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    name.bytes().next().is_some_and(letter) && name.bytes().all(|b| letter(b) || b.is_ascii_digit())
}

impl Print<TokenAnswer> for Exec {
    fn print(&self, answer: &TokenAnswer, around: Surroundings<'_>) -> Reply {
        let left = answer.held.validity.remaining(around.now.boot);
        Reply {
            stdout: token_between("", answer, ""),
            stderr: format!(
                "jeton: {} holds a token of {} that expires in {}; a longer job asks again with 'jeton token'\n",
                self.name,
                answer.profile,
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
