//! Checks what watchers receive.
//!
//! They get each new token once and in order, at once if they keep reading, and an event at least every 15 s.

use std::time::Duration;

use super::answers::finds_at;
use super::held::Held;
use super::record::{ClientRequest, GRAIN, Record, RequestEnd};
use super::{Finding, Rule};
use crate::history::{Ask, WatchEvent};

pub(super) fn check(record: &Record, findings: &mut Vec<Finding>) {
    for watch in &record.requests {
        if let Ask::Watch { since, reads_after } = watch.ask {
            each_token_once(watch, since, findings);
            if reads_after.is_zero() {
                something_every_15_s(watch, findings);
                none_is_missed(record, watch, since, findings);
            }
        }
    }
}

fn each_token_once(watch: &ClientRequest, since: Option<u64>, findings: &mut Vec<Finding>) {
    let mut last = since;
    for (at, _, told) in &watch.told {
        let WatchEvent::Token(answer) = told else {
            continue;
        };
        if answer.generation <= last {
            let what = "is told of a token that it was told of, or of an older one";
            finds_at(findings, Rule::Watches, *at, watch, what);
        }
        last = answer.generation;
    }
}

fn something_every_15_s(watch: &ClientRequest, findings: &mut Vec<Finding>) {
    let mut before = watch.from;
    let until = match watch.end {
        RequestEnd::HungUp => watch.until,
        _ => watch.told.last().map_or(watch.from, |(at, _, _)| *at),
    };
    let told = watch.told.iter().map(|(at, _, _)| *at);
    for at in told.chain([until]) {
        if at.run - before.run > Duration::from_secs(15) + GRAIN {
            finds_at(
                findings,
                Rule::Watches,
                at,
                watch,
                "was not told anything for 15 s",
            );
        }
        before = at;
    }
}

/// Checks that a watcher that keeps reading gets each token when it arrives. First it gets the held token, unless it
/// already knows that one.
fn none_is_missed(
    record: &Record,
    watch: &ClientRequest,
    since: Option<u64>,
    findings: &mut Vec<Finding>,
) {
    let told_of = |token: u32, from: Duration, until: Duration| {
        let name = format!("tok-p{}-{token}", watch.profile);
        watch.told.iter().any(|(at, _, told)| {
            let is_it =
                matches!(told, WatchEvent::Token(answer) if answer.token.as_ref() == Some(&name));
            is_it && from <= at.run && at.run <= until + GRAIN
        })
    };
    for life in record
        .lives
        .iter()
        .filter(|life| life.profile == watch.profile)
    {
        for (held, until) in Held::terms(life) {
            let (came, begun) = (held.since.run, watch.from.run);
            let stays = came + GRAIN < until.run && held.surely > held.since.boot.after(GRAIN);
            let whole = came + GRAIN < watch.until.run && watch.ended_at < life.ended_at;
            if !stays || !whole || held.again {
                continue;
            }
            let missed = if came > begun {
                !told_of(held.token, came, came)
            } else {
                let valid = held.surely > watch.from.boot.after(GRAIN) && begun < until.run;
                let is_open = watch.until.run > begun + GRAIN && came + GRAIN < begun;
                valid && is_open && since.is_none() && !told_of(held.token, begun, begun)
            };
            if missed {
                let what = format!("is not told of token {} at once", held.token);
                finds_at(findings, Rule::Watches, watch.until, watch, &what);
            }
        }
    }
}
