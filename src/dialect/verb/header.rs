//! `jeton header`: the header that carries the token (RFC 6750 section 2.1), as `curl -H @-` reads it.

use super::super::Parsed;
use super::super::args::{Grammar, Usage};
use super::token::{TOKEN_OPTIONS, stale_note, token_query};
use crate::query::{Asked, Print, Surroundings, TokenAnswer};
use crate::wire::frame::{Invocation, Reply};

struct Header;

const GRAMMAR: Grammar = Grammar {
    usage: "jeton header [PROFILE] [--min-valid S] [--max-wait S]",
    values: TOKEN_OPTIONS,
    flags: &[],
    profile: true,
};

/// Reads a run of the verb.
pub(in crate::dialect) fn parse(run: &Invocation) -> Result<Parsed, Usage> {
    let query = token_query(&GRAMMAR.read(run)?, run)?;
    Ok(Parsed::Ask(Asked::Token(query, Box::new(Header))))
}

impl Print<TokenAnswer> for Header {
    fn print(&self, answer: &TokenAnswer, around: Surroundings<'_>) -> Reply {
        let stdout = format!("Authorization: Bearer {}\n", answer.held.token.expose());
        Reply {
            stdout: stdout.into_bytes().into(),
            stderr: stale_note(answer, around.now.boot),
            exit: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::*;
    use crate::query::Freshness;

    #[test]
    fn the_header_is_one_line() {
        assert_eq!(
            printed(&run(&["header"]), &token_answer(Freshness::Good)),
            reply("Authorization: Bearer T0KEN\n", "", 0)
        );
    }
}
