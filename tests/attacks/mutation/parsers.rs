//! The parser of each tool's protocol alone, with mutants of that protocol's own requests.

use std::collections::BTreeSet;
use std::time::Duration;

use jetond::dialect::{self, NextStep};
use jetond::instant::{BootInstant, Now, UnixTime};
use jetond::problem::{Code, Problem};
use jetond::query::{AddressQuery, PrintContext, Question};
use jetond::wire::frame::{Instruction, Invocation, Reply};

use super::canary::CALLERS_SECRET;
use super::dice::RandomChoices;
use super::frames::Frames;
use super::{count, number, seed};
use crate::support::tools::{self, Request};

#[test]
fn mutated_tool_requests_are_parsed_or_refused_in_one_line() {
    let requests = tools::all().into_iter().filter(Request::is_known);
    let tools: BTreeSet<_> = requests.map(|request| request.tool).collect();
    let (all, seed) = (count(), seed());
    for tool in tools {
        let frames = Frames::of_tools(|request| request.tool == tool);
        let mut asked = 0;
        for number in number("JETON_MUTATION_ONLY").map_or(0..all, |only| only..only + 1) {
            let (bytes, _, _) = frames.mutant(&mut RandomChoices::new(seed, number));
            let Ok(run) = Invocation::parse(&bytes) else {
                continue;
            };
            asked += u64::from(matches!(dialect::parse(&run), NextStep::Ask(_)));
            if let Err(why) = judge(&run) {
                panic!(
                    "{tool}: {why}: JETON_MUTATION_SEED={seed} JETON_MUTATION_ONLY={number}: {run:?}"
                );
            }
        }
        assert!(
            all < 1_000 || asked > all / 20,
            "{tool}: only {asked} of {all} get past the parser"
        );
    }
}

/// Checks the result of a run: a query for an address without control characters, or a reply of one line.
fn judge(run: &Invocation) -> Result<(), String> {
    match dialect::parse(run) {
        NextStep::Answer(Instruction::Done(reply)) => reply_is_good(&reply, run),
        NextStep::Answer(_) | NextStep::Confirm(..) => Ok(()),
        NextStep::Ask(Question::Address(query, print)) => {
            query_is_good(&query)?;
            let around = PrintContext {
                now: Now {
                    boot: BootInstant::from_boot(Duration::from_secs(10_000)),
                    unix: UnixTime::from_epoch(Duration::from_secs(1_800_000_000)),
                },
                socket: "/run/jeton/jeton.sock",
            };
            let refusal = print.refuse(&Problem::new(Code::UnknownProfile), around);
            refusal.map_or(Ok(()), |reply| reply_is_good(&reply, run))
        }
        NextStep::Ask(_) => Ok(()),
    }
}

fn query_is_good(query: &AddressQuery) -> Result<(), String> {
    let Some(address) = &query.address else {
        return match &query.profile {
            Some(_) => Ok(()),
            None => Err("a question for neither an address nor a profile".to_owned()),
        };
    };
    let shown = address.to_string();
    let is_safe = shown.starts_with("https://")
        || shown.starts_with("http://127.")
        || shown.starts_with("http://[::1]");
    let is_printable = shown.bytes().all(|byte| byte.is_ascii_graphic());
    let username = query.username.as_deref().unwrap_or_default();
    if !is_safe || !is_printable || username.contains(char::is_control) {
        return Err(format!("a question for {shown:?} of {username:?}"));
    }
    Ok(())
}

fn reply_is_good(reply: &Reply, run: &Invocation) -> Result<(), String> {
    let stdout = String::from_utf8(reply.stdout.to_vec()).map_err(|_| "no text")?;
    for text in [&stdout, &reply.stderr] {
        if text.contains(|c: char| c.is_control() && c != '\n') {
            return Err(format!("a control character in {text:?}"));
        }
        if text.contains(CALLERS_SECRET) {
            return Err(format!("the caller's secret in {text:?}"));
        }
    }
    // Help has many lines, a refusal has one.
    if reply.stderr.lines().count() > 1 || reply.exit != 0 && stdout.lines().count() > 1 {
        return Err(format!("more than a line for {:?}: {reply:?}", run.args));
    }
    Ok(())
}
