//! Checks what the clients saw.

use std::collections::BTreeMap;
use std::time::Duration;

use jetond::instant::BootInstant;

use super::held::Held;
use super::record::{CallEnd, ClientRequest, GRAIN, ProfileLife, Record, RequestEnd};
use super::{Finding, Rule};
use crate::history::{Answer, Ask, Moment};

/// The daemon keeps no stated wait for longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// A held token with this much validity left must always be served.
const SURE: Duration = Duration::from_secs(10);

pub(crate) fn check(record: &Record, findings: &mut Vec<Finding>) {
    no_expired_token(record, findings);
    generations(record, findings);
    deadlines(record, findings);
    what_is_held_is_served(record, findings);
    all_who_wait_get_it(record, findings);
    recovers(record, findings);
}

fn answered(record: &Record) -> impl Iterator<Item = (&ClientRequest, &Answer)> {
    record
        .requests
        .iter()
        .filter_map(|request| match &request.end {
            RequestEnd::Answered(answer) => Some((request, answer)),
            _ => None,
        })
}

fn finds(findings: &mut Vec<Finding>, rule: Rule, request: &ClientRequest, what: &str) {
    finds_at(findings, rule, request.until, request, what);
}

pub(super) fn finds_at(
    findings: &mut Vec<Finding>,
    rule: Rule,
    at: Moment,
    request: &ClientRequest,
    what: &str,
) {
    let text = format!("request {} of p{} {what}", request.number, request.profile);
    findings.push(Finding::new(rule, at, text));
}

/// Checks that a client only gets tokens that its profile's issuer granted. They must not be past their end, and the
/// stated validity must not exceed the real one.
fn no_expired_token(record: &Record, findings: &mut Vec<Finding>) {
    let mut ends: BTreeMap<(usize, String), Vec<(Duration, BootInstant)>> = BTreeMap::new();
    for life in &record.lives {
        for call in life.calls() {
            if let CallEnd::Granted(given) = call.end {
                let token = format!("tok-p{}-{}", life.profile, given.token);
                let said = ends.entry((life.profile, token)).or_default();
                said.push((call.until.run, given.end));
            }
        }
    }
    for (request, at, _, answer) in record.answers() {
        // A slow reader receives old events.
        if matches!(request.ask, Ask::Watch { reads_after, .. } if !reads_after.is_zero()) {
            continue;
        }
        let mut finds = |what| finds_at(findings, Rule::Expired, at, request, what);
        let Some(token) = &answer.token else {
            if request.ask.is_for_token() && answer.status == 200 {
                finds("gets a success without a token");
            }
            continue;
        };
        let known = ends.get(&(request.profile, token.clone()));
        let given = known.into_iter().flatten();
        let given = given.filter(|(run, _)| *run <= at.run);
        let Some(end) = given.map(|(_, end)| *end).max() else {
            finds("gets a token that its issuer never gave");
            continue;
        };
        let promised = Duration::from_secs(answer.expires_in.unwrap_or(0));
        if at.boot >= end {
            finds("gets a token that has expired");
        } else if at.boot.after(promised) > end {
            finds("is told of more validity than there is");
        }
    }
}

/// Checks that a request gets no older generation than any answer before it, and that a generation is one token.
fn generations(record: &Record, findings: &mut Vec<Finding>) {
    let mut tokens: BTreeMap<(usize, u64), &str> = BTreeMap::new();
    let mut answers: Vec<_> = record.answers().collect();
    answers.sort_by_key(|(_, _, place, _)| *place);
    for (request, at, _, answer) in &answers {
        if let (Some(generation), Some(token)) = (answer.generation, &answer.token) {
            let first = *tokens.entry((request.profile, generation)).or_insert(token);
            if first != token {
                let what = "gets another token of the same generation";
                finds_at(findings, Rule::Generations, *at, request, what);
            }
        }
    }
    let mut asked = answers.clone();
    asked.sort_by_key(|(request, _, _, _)| request.asked_at);
    let mut newest: BTreeMap<usize, u64> = BTreeMap::new();
    let mut told = answers.iter().peekable();
    for (request, at, _, answer) in asked {
        while let Some((earlier, _, _, said)) =
            told.next_if(|(_, _, place, _)| *place < request.asked_at)
        {
            let newest = newest.entry(earlier.profile).or_default();
            *newest = (*newest).max(said.generation.unwrap_or(0));
        }
        let known = newest.get(&request.profile).copied().unwrap_or(0);
        if answer
            .generation
            .is_some_and(|generation| generation < known)
        {
            let what = format!("is told of a generation that is older than {known}");
            finds_at(findings, Rule::Generations, at, request, &what);
        }
    }
}

fn deadlines(record: &Record, findings: &mut Vec<Finding>) {
    for request in &record.requests {
        let took = request.until.run.saturating_sub(request.from.run);
        match request.end {
            RequestEnd::Silence => finds(findings, Rule::Deadline, request, "gets no answer"),
            RequestEnd::Answered(_) if matches!(request.ask, Ask::Watch { .. }) => {}
            RequestEnd::Answered(_) if took > allowed(record, request) + GRAIN => {
                let what = format!("is answered after {took:?}");
                finds(findings, Rule::Deadline, request, &what);
            }
            RequestEnd::Answered(_) | RequestEnd::HungUp => {}
        }
    }
}

/// Returns the deadline of an answer. Reloads that wait for each other share it.
fn allowed(record: &Record, request: &ClientRequest) -> Duration {
    let wait = request.ask.max_wait();
    if !matches!(request.ask, Ask::Reload) {
        return wait;
    }
    let reloads = record.requests.iter().filter(|other| {
        matches!(other.ask, Ask::Reload)
            && other.asked_at <= request.asked_at
            && other.ended_at > request.asked_at
    });
    wait * u32::try_from(reloads.count()).unwrap()
}

/// Returns the token that a life surely holds when a request is answered.
fn held_at(held: &[Held], request: &ClientRequest) -> Option<Held> {
    let mut held = held.iter().rev();
    held.find(|held| held.since.run + GRAIN < request.until.run)
        .copied()
}

fn what_is_held_is_served(record: &Record, findings: &mut Vec<Finding>) {
    let held: BTreeMap<u32, Vec<Held>> = record
        .lives
        .iter()
        .map(|life| (life.number, Held::of(life)))
        .collect();
    for (request, answer) in answered(record) {
        let asks = request.ask.is_for_token() || matches!(request.ask, Ask::Ready);
        let Some(life) = record
            .life_of(request)
            .filter(|_| asks && answer.status != 200)
        else {
            continue;
        };
        if let Some(held) = held_at(&held[&life.number], request)
            && held.surely > request.until.boot.after(SURE)
        {
            let what = format!("is refused while token {} is held", held.token);
            finds(findings, Rule::Served, request, &what);
        }
    }
}

/// Checks that a waiting request is served at once when a token arrives that is good enough.
fn all_who_wait_get_it(record: &Record, findings: &mut Vec<Finding>) {
    for request in &record.requests {
        let reported = match request.ask {
            Ask::Reject { token, .. } => Some(token),
            _ if request.ask.is_for_token() => None,
            _ => continue,
        };
        let Some(life) = record.life_of(request) else {
            continue;
        };
        if let RequestEnd::HungUp = request.end {
            continue;
        }
        for held in Held::of(life) {
            let came = held.since.run;
            let waits = request.from.run < came && came + GRAIN < request.until.run;
            let enough = request.ask.min_valid().min(held.lifetime / 2);
            let other = reported != Some(held.token);
            if waits
                && other
                && !is_doubtful(life, &held)
                && held.surely > held.since.boot.after(enough)
            {
                finds(
                    findings,
                    Rule::Shared,
                    request,
                    "waits on when its token is there",
                );
            }
        }
    }
}

/// Returns whether a token's validity is uncertain: it may be lost if its call was cancelled, and a token that came
/// twice has two lifetimes.
fn is_doubtful(life: &ProfileLife, held: &Held) -> bool {
    held.again || life.calls().any(|call| call.from.run == held.since.run)
}

/// Checks that all requests are served when everything works again.
fn recovers(record: &Record, findings: &mut Vec<Finding>) {
    let Some(calm) = record.calm else { return };
    let long = Duration::from_secs(15 * 60);
    for (request, answer) in answered(record) {
        let later = request.from.run > calm.run + long;
        // A wait that an issuer stated earlier still applies.
        let lives = record
            .lives
            .iter()
            .filter(|life| life.profile == request.profile);
        let calls = lives.flat_map(|life| life.calls());
        // A call before the expiry of a held token does not end such a wait.
        let calls = calls.filter(|call| call.from.run < request.from.run);
        let waits_until = calls.fold(None, |waits, call| match call.end {
            CallEnd::Granted(_) => None,
            CallEnd::Failed(_, Some(wait)) => {
                waits.max(Some(call.until.boot.after(wait.min(LONGEST_WAIT))))
            }
            _ => waits,
        });
        let is_waiting = waits_until.is_some_and(|until| request.from.boot <= until);
        if later && !is_waiting && request.ask.is_for_token() && answer.status != 200 {
            finds(
                findings,
                Rule::Recovers,
                request,
                "is refused although everything works",
            );
        }
    }
}
