//! `jeton header`: prints the header that carries the token (RFC 6750 section 2.1), for `curl -H @-` or `curl -K -`.

use super::super::args::{Grammar, Opt, OptionArgument, Profile, Usage};
use super::super::call::{Call, NextStep};
use super::super::token_request::{
    MAX_WAIT, MIN_VALID, json_token_between, stale_note, token_between, token_query,
};
use crate::query::{Print, PrintContext, Question, TokenAnswer};
use crate::wire::frame::Reply;

/// Selects the form for curl's configuration.
static CURL_CONFIG: Opt = Opt {
    name: "--curl-config",
    takes: OptionArgument::Nothing,
    help: "print a line of curl's configuration, for curl -K -",
};

pub(super) static GRAMMAR: Grammar = Grammar {
    verb: "header",
    usage: "[PROFILE] [--curl-config] [--min-valid S] [--max-wait S]",
    does: "print the token as an HTTP header",
    options: &[&CURL_CONFIG, &MIN_VALID, &MAX_WAIT],
    profile: Profile::ArgumentOrVariable,
};

struct Header {
    for_curl: bool,
}

/// Parses a call.
pub(super) fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    let args = GRAMMAR.read(call)?;
    let query = token_query(&args, call)?;
    let for_curl = args.has(&CURL_CONFIG);
    Ok(NextStep::Ask(Question::Token(
        query,
        Box::new(Header { for_curl }),
    )))
}

impl Print<TokenAnswer> for Header {
    fn print(&self, answer: &TokenAnswer, around: PrintContext<'_>) -> Reply {
        let stdout = if self.for_curl {
            // Between quotes, curl reads `\\` and `\"` as JSON does (its manual, `--config`).
            json_token_between("header = \"Authorization: Bearer ", answer, "\"\n")
        } else {
            token_between("Authorization: Bearer ", answer, "\n")
        };
        Reply {
            stdout,
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
    fn header_prints_the_authorization_line() {
        assert_eq!(
            printed(&run(&["header"]), &token_answer(Freshness::Good)),
            reply("Authorization: Bearer T0KEN\n", "", 0)
        );
    }

    #[test]
    fn the_header_for_a_curl_configuration_is_quoted() {
        let config = |token: &str| {
            let reply = printed(
                &run(&["header", "--curl-config", "research"]),
                &answer_with(token),
            );
            String::from_utf8(reply.stdout.to_vec()).unwrap()
        };
        assert_eq!(
            config("T0KEN"),
            "header = \"Authorization: Bearer T0KEN\"\n"
        );
        let hard = "header = \"Authorization: Bearer a\\\"b\\\\\"\n";
        assert_eq!(config("a\"b\\"), hard);
    }
}
