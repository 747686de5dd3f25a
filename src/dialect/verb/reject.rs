//! `jeton reject`: a token was rejected by what it is for; prints the next one.
//!
//! Which one comes by standard input, as the token itself, or by its number or hash; never as an argument, where others
//! of the machine would read it.

use sha2::{Digest, Sha256};

use super::super::Parsed;
use super::super::args::{Args, Grammar, Usage};
use super::token::{Form, patience};
use crate::query::{Asked, RejectQuery};
use crate::wire::frame::{Answer, Invocation};
use crate::wire::{self, Rejected};

const GRAMMAR: Grammar = Grammar {
    usage: "jeton reject [PROFILE] [--generation N | --sha256 HEX] [--max-wait S] [--json], else with the token on standard input",
    values: &["--generation", "--sha256", "--max-wait"],
    flags: &["--json"],
    profile: true,
};

/// Reads a run of the verb.
pub(in crate::dialect) fn parse(run: &Invocation) -> Result<Parsed, Usage> {
    let args = GRAMMAR.read(run)?;
    let max_wait = args
        .seconds("--max-wait", wire::MAX_MAX_WAIT)?
        .unwrap_or(wire::DEFAULT_MAX_WAIT);
    let form = Form::of(args.flag("--json"));
    let Some(which) = which(&args, run)? else {
        return Ok(Parsed::Answer(Answer::SendInput { one_line: true }));
    };
    let query = RejectQuery {
        profile: args.profile(),
        which,
        max_wait: max_wait.min(patience(run)),
    };
    Ok(Parsed::Ask(Asked::Reject(query, Box::new(form))))
}

/// The token that is meant; none while that has to be read.
fn which(args: &Args<'_>, run: &Invocation) -> Result<Option<Rejected>, Usage> {
    let wrong = |what| Err(GRAMMAR.wrong(what));
    match (
        args.value("--generation"),
        args.value("--sha256"),
        &run.stdin,
    ) {
        (Some(_), Some(_), _) => wrong("a token is named by its number or by its hash"),
        (Some(number), None, _) => match number.parse() {
            Ok(number) => Ok(Some(Rejected::Generation(number))),
            Err(_) => wrong("--generation takes the number that 'jeton token --json' shows"),
        },
        (None, Some(hex), _) => match Rejected::from_hex(hex) {
            Some(rejected) => Ok(Some(rejected)),
            None => wrong("--sha256 takes 64 hexadecimal digits"),
        },
        (None, None, Some(line)) => match line.trim_ascii() {
            [] => wrong("there is no token on standard input"),
            token => Ok(Some(Rejected::Sha256(Sha256::digest(token).into()))),
        },
        // A token that is typed would stand on the screen.
        (None, None, None) if run.terminal.input => wrong("there is no token on standard input"),
        (None, None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::testing::*;
    use crate::query::Freshness;

    #[test]
    fn the_token_comes_by_number_by_hash_or_by_standard_input() {
        let which = |run: &Invocation| match asked(run) {
            Asked::Reject(query, _) => query.which,
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
        let first = super::parse(&piped);
        let one_line = Answer::SendInput { one_line: true };
        assert!(matches!(first, Ok(Parsed::Answer(answer)) if answer == one_line));
        for line in ["T0KEN", "T0KEN\n", " T0KEN\r\n"] {
            piped.stdin = Some(line.into());
            let want = Rejected::Sha256(Sha256::digest(b"T0KEN").into());
            assert_eq!(which(&piped), want, "{line:?}");
        }
    }

    #[test]
    fn nothing_is_waited_for_that_cannot_come_and_nothing_is_repeated() {
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
            let Err(usage) = super::parse(&bad) else {
                panic!("refused")
            };
            let line = usage.to_string();
            assert!(!line.contains("seven") && !line.contains("T0KEN"), "{line}");
        }
    }

    #[test]
    fn the_next_token_is_printed_as_by_jeton_token() {
        let bare = run(&["reject", "--generation", "6"]);
        assert_eq!(
            printed(&bare, &token_answer(Freshness::Good)),
            reply("T0KEN\n", "", 0)
        );
    }
}
