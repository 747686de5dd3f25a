//! `jeton token`: prints the token and a newline; with `--json`, the answer of the HTTP interface.

use super::super::args::{Grammar, Profile, Usage};
use super::super::call::{Call, Parsed};
use super::super::token_format::{Format, JSON};
use super::super::token_request::{MAX_WAIT, MIN_VALID, token_query};
use crate::query::Asked;

pub(super) static GRAMMAR: Grammar = Grammar {
    verb: "token",
    usage: "[PROFILE] [--min-valid S] [--max-wait S] [--json]",
    does: "print the token",
    options: &[&MIN_VALID, &MAX_WAIT, &JSON],
    profile: Profile::ArgumentOrVariable,
};

/// Parses a call.
pub(super) fn parse(call: &Call<'_>) -> Result<Parsed, Usage> {
    let args = GRAMMAR.read(call)?;
    let query = token_query(&args, call)?;
    let format = Format::of(&args);
    Ok(Parsed::Ask(Asked::Token(query, Box::new(format))))
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::*;
    use crate::query::Freshness;

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
}
