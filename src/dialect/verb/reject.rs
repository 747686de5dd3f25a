//! `jeton reject`: reports that a resource rejected a token, and prints the next one.
//!
//! The token comes on standard input, or is identified by its generation or its hash. It is never an argument, which
//! other users of the machine could read.

use sha2::{Digest, Sha256};

use super::super::args::{Args, Grammar, Opt, OptionArgument, Profile, Usage};
use super::super::call::{Call, NextStep};
use super::super::token_format::{Format, JSON};
use super::super::token_request::{MAX_WAIT, max_wait};
use crate::query::{Question, RejectQuery};
use crate::wire::Rejected;
use crate::wire::frame::Instruction;

static GENERATION: Opt = Opt {
    name: "--generation",
    takes: OptionArgument::Word {
        name: "N",
        what: "the number that 'jeton token --json' shows",
    },
    help: "report the token with this generation number",
};

static SHA256: Opt = Opt {
    name: "--sha256",
    takes: OptionArgument::Word {
        name: "HEX",
        what: "64 hexadecimal digits",
    },
    help: "report the token with this SHA-256 hash",
};

pub(super) static GRAMMAR: Grammar = Grammar {
    verb: "reject",
    usage: "[PROFILE] [--generation N | --sha256 HEX] [--max-wait S] [--json]",
    does: "report the token on standard input as rejected, and
print the next one",
    options: &[&GENERATION, &SHA256, &MAX_WAIT, &JSON],
    profile: Profile::ArgumentOrVariable,
};

/// Parses a call.
pub(super) fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    let args = GRAMMAR.read(call)?;
    let max_wait = max_wait(&args, call)?;
    let Some(which) = which(&args, call)? else {
        return Ok(NextStep::Answer(Instruction::SendInput { one_line: true }));
    };
    let query = RejectQuery {
        profile: args.profile(),
        which,
        max_wait,
    };
    let format = Format::of(&args);
    Ok(NextStep::Ask(Question::Reject(query, Box::new(format))))
}

/// Returns the rejected token; `None` if it must still be read from standard input.
fn which(args: &Args<'_>, call: &Call<'_>) -> Result<Option<Rejected>, Usage> {
    const NO_TOKEN: &str = "there is no token on standard input";
    let generation = args.parsed(&GENERATION, |number| number.parse().ok())?;
    let hash = args.parsed(&SHA256, Rejected::from_hex)?;
    match (generation, hash, &call.run.stdin) {
        (Some(_), Some(_), _) => {
            Err(GRAMMAR.wrong("a token is named by its number or by its hash, not by both"))
        }
        (Some(generation), None, _) => Ok(Some(Rejected::Generation(generation))),
        (None, Some(hash), _) => Ok(Some(hash)),
        (None, None, Some(line)) => match line.trim_ascii() {
            [] => Err(GRAMMAR.wrong(NO_TOKEN)),
            token => Ok(Some(Rejected::Sha256(Sha256::digest(token).into()))),
        },
        // A token typed on a terminal would be visible on the screen.
        (None, None, None) if call.run.terminal.input => Err(GRAMMAR.wrong(NO_TOKEN)),
        (None, None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::parse;
    use crate::dialect::testing::*;
    use crate::query::Freshness;
    use crate::wire::frame::Invocation;

    #[test]
    fn a_report_names_the_token_by_generation_hash_or_standard_input() {
        let which = |run: &Invocation| match asked(run) {
            Question::Reject(query, _) => query.which,
            _ => panic!("reports no token"),
        };
        assert_eq!(
            which(&run(&["reject", "research", "--generation=7"])),
            Rejected::Generation(7)
        );
        let hash = "1a9bd2a2c80df3d2d54a4d4cbd8b6a1d9ab1c8b9a84b0cf6eb0a2c9b33b6d5d6";
        assert_eq!(
            Some(which(&run(&["reject", "--sha256", hash]))),
            Rejected::from_hex(hash)
        );
        let mut piped = run(&["reject", "research"]);
        let one_line = Instruction::SendInput { one_line: true };
        assert!(matches!(parse(&piped), NextStep::Answer(answer) if answer == one_line));
        for line in ["T0KEN", "T0KEN\n", " T0KEN\r\n"] {
            piped.stdin = Some(line.into());
            let want = Rejected::Sha256(Sha256::digest(b"T0KEN").into());
            assert_eq!(which(&piped), want, "{line:?}");
        }
    }

    #[test]
    fn an_invalid_report_is_refused_without_waiting_or_echoing() {
        let mut typed = run(&["reject", "research"]);
        typed.terminal.input = true;
        let mut empty = run(&["reject", "research"]);
        empty.stdin = Some(b"\n".to_vec());
        for bad in [
            typed,
            empty,
            run(&["reject", "--generation", "seven"]),
            run(&["reject", "--generation", "-7"]),
            run(&["reject", "--sha256", "T0KEN"]),
            run(&["reject", "--generation", "7", "--sha256", &"0".repeat(64)]),
        ] {
            let NextStep::Answer(Instruction::Done(reply)) = parse(&bad) else {
                panic!("refused")
            };
            let line = reply.stderr;
            assert_eq!(reply.exit, 64, "{line}");
            assert!(!line.contains("seven") && !line.contains("T0KEN"), "{line}");
        }
    }

    #[test]
    fn a_report_prints_the_next_token_like_jeton_token() {
        let bare = run(&["reject", "--generation", "6"]);
        assert_eq!(
            printed(&bare, &token_answer(Freshness::Good)),
            reply("T0KEN\n", "", 0)
        );
    }
}
