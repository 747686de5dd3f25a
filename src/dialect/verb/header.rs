//! `jeton header`: the header that carries the token (RFC 6750 section 2.1), as `curl -H @-` reads it.

use super::super::args::{Grammar, Profile, Usage};
use super::super::call::{Call, Parsed};
use super::super::token_request::{MAX_WAIT, MIN_VALID, stale_note, token_between, token_query};
use crate::query::{Asked, Print, Surroundings, TokenAnswer};
use crate::wire::frame::Reply;

pub(super) static GRAMMAR: Grammar = Grammar {
    verb: "header",
    usage: "[PROFILE] [--min-valid S] [--max-wait S]",
    does: "print the token as an HTTP header",
    options: &[&MIN_VALID, &MAX_WAIT],
    profile: Profile::ArgumentOrVariable,
};

struct Header;

/// Parses a call.
pub(super) fn parse(call: &Call<'_>) -> Result<Parsed, Usage> {
    let query = token_query(&GRAMMAR.read(call)?, call)?;
    Ok(Parsed::Ask(Asked::Token(query, Box::new(Header))))
}

impl Print<TokenAnswer> for Header {
    fn print(&self, answer: &TokenAnswer, around: Surroundings<'_>) -> Reply {
        Reply {
            stdout: token_between("Authorization: Bearer ", answer, "\n"),
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
