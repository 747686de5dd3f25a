//! `jeton token`: prints the token and a newline; with `--json`, the JSON of the HTTP interface.
//!
//! Many tools run a command that prints a token. A tool that keeps the token for a while has to be named with `--for`.
//! cargo passes the address of its registry, so that the token goes only to an address that the profile serves.

use super::super::args::{Args, Grammar, Opt, OptionArgument, Profile, Usage};
use super::super::call::{Call, NextStep};
use super::super::token_format::{BEARER, Format, JSON};
use super::super::token_request::{MAX_WAIT, MIN_VALID, token_query, wait_limit};
use super::super::tool::ClientBehaviour;
use super::super::tool::plain::{CARGO, CLIENTS};
use crate::address::Address;
use crate::query::{AddressQuery, Question};

/// Requests a token that lasts long enough for a client which keeps it for a while.
static FOR: Opt = Opt {
    name: "--for",
    takes: OptionArgument::Word {
        name: "CLIENT",
        what: "claude-code, codex, dvc or rclone",
    },
    help: "require a token that is valid while CLIENT keeps it",
};

pub(super) static GRAMMAR: Grammar = Grammar {
    verb: "token",
    usage: "[PROFILE] [--bearer | --json] [--for CLIENT] [--min-valid S] [--max-wait S]",
    does: "print the token",
    options: &[&BEARER, &JSON, &FOR, &MIN_VALID, &MAX_WAIT],
    profile: Profile::ArgumentOrVariable,
};

/// Parses a call.
pub(super) fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    let args = GRAMMAR.read(call)?;
    if args.has(&BEARER) && args.has(&JSON) {
        return Err(GRAMMAR.wrong("--bearer and --json exclude each other"));
    }
    let mut query = token_query(&args, call)?;
    let address = registry(call)?;
    let of_cargo = address.as_ref().map(|_| &CARGO);
    if let Some(client) = client(&args)?.or(of_cargo) {
        query.min_valid = query.min_valid.max(client.min_valid());
        if !args.has(&MAX_WAIT) {
            query.max_wait = client.deadline().min(wait_limit(call));
        }
    }
    let format = Box::new(Format::of(&args));
    if address.is_none() {
        return Ok(NextStep::Ask(Question::Token(query, format)));
    }
    let query = AddressQuery {
        address,
        profile: query.profile,
        min_valid: query.min_valid,
        max_wait: query.max_wait,
        ..AddressQuery::default()
    };
    Ok(NextStep::Ask(Question::Address(query, format)))
}

/// Returns the client that keeps the token.
fn client(args: &Args<'_>) -> Result<Option<&'static ClientBehaviour>, Usage> {
    args.parsed(&FOR, |word| {
        let mut clients = CLIENTS.iter();
        let found = clients.find(|(name, _)| *name == word);
        found.map(|(_, client)| client)
    })
}

/// Returns the registry's index, which cargo passes to a credential provider (`cargo:token-from-stdout`).
fn registry(call: &Call<'_>) -> Result<Option<Address>, Usage> {
    let url = call.run.env.get("CARGO_REGISTRY_INDEX_URL");
    let url = url.filter(|url| !url.is_empty());
    let address = url.map(|url| Address::parse(url)).transpose();
    address.map_err(|error| GRAMMAR.wrong(error.0))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::dialect::parse;
    use crate::dialect::testing::*;
    use crate::query::Freshness;
    use crate::wire::frame::{Instruction, Invocation};

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
                "jeton: research: this token is valid for only 59 min more; no newer one came in time\n",
                0
            )
        );
    }

    #[test]
    fn with_bearer_the_output_is_the_complete_header_value() {
        let bearer = run(&["token", "research", "--bearer"]);
        let says = reply("Bearer T0KEN\n", "", 0);
        assert_eq!(printed(&bearer, &token_answer(Freshness::Good)), says);
        assert_eq!(refused(&run(&["token", "--bearer", "--json"])).0, 64);
    }

    #[test]
    fn a_client_that_caches_a_token_gets_one_that_outlives_the_cache() {
        let seconds = Duration::from_secs;
        let times = |args: &[&str]| match asked(&run(&[&["token"], args].concat())) {
            Question::Token(query, _) => (query.min_valid, query.max_wait),
            _ => panic!("asks for no token"),
        };
        for (args, min_valid, max_wait) in [
            (&[][..], 0, 5),
            (&["--for", "claude-code"], 360, 9),
            (&["--for=codex"], 360, 4),
            (&["--for=rclone"], 360, 4),
            (&["--for=dvc"], 360, 9),
            (&["--for=codex", "--min-valid=900"], 900, 4),
            (&["--for=codex", "--min-valid=10", "--max-wait=2"], 360, 2),
        ] {
            assert_eq!(
                times(args),
                (seconds(min_valid), seconds(max_wait)),
                "{args:?}"
            );
        }
        let mut short = run(&["token", "--for=codex"]);
        short.deadline = Some(seconds(2));
        assert!(matches!(asked(&short), Question::Token(query, _) if query.max_wait < seconds(2)));
    }

    #[test]
    fn the_help_names_every_client() {
        let OptionArgument::Word { what, .. } = FOR.takes else {
            panic!()
        };
        for (name, client) in &CLIENTS {
            assert!(what.contains(name), "{name}");
            assert!(
                !client.interval.is_zero() && !client.source.is_empty(),
                "{name}"
            );
        }
    }

    #[test]
    fn a_token_for_cargo_is_bound_to_the_registry_address() {
        let mut cargo = run(&["token", "--bearer", "research"]);
        let name = "CARGO_REGISTRY_INDEX_URL".to_owned();
        let index = "sparse+https://crates.example/index/".to_owned();
        cargo.env.insert(name.clone(), index);
        let Question::Address(query, _) = asked(&cargo) else {
            panic!("asks for no address")
        };
        let address = query.address.map(|it| it.to_string());
        assert_eq!(address.as_deref(), Some("https://crates.example/index"));
        assert_eq!(query.profile.unwrap().as_str(), "research");
        // cargo keeps the token for one command.
        let times = [query.min_valid, query.max_wait].map(|it| it.as_secs());
        assert_eq!(times, [360, 4]);
        cargo
            .env
            .insert(name.clone(), "https://crates.example\nevil".into());
        let (exit, line) = refused(&cargo);
        assert!(exit == 64 && !line.contains("evil"), "{line}");
        cargo.env.insert(name, String::new());
        assert!(matches!(asked(&cargo), Question::Token(..)));
    }

    /// Returns the exit code and the line of a refused run.
    fn refused(run: &Invocation) -> (u8, String) {
        match parse(run) {
            NextStep::Answer(Instruction::Done(reply)) => (reply.exit, reply.stderr),
            _ => panic!("{run:?} is refused"),
        }
    }
}
