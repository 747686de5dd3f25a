//! The attempts of a life: a look into the store where there was one, a call, and a second call with another secret that
//! was found when the first one was rejected.

use std::time::Duration;

use jetond::fault::FaultKind;
use jetond::instant::BootInstant;

use super::record::{CallEnd, Called, GRAIN, Lived, Loaded, Record};
use crate::history::At;

/// Why an attempt was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Its time had come.
    Due,
    /// Somebody waits who cannot be served.
    Caller,
    /// Somebody reported the token held.
    Report,
    /// A person asked for it.
    Person,
    /// There is another secret, or what was in the way may be gone.
    Secret,
    /// The machine has slept: what ran is dead, and the network is perhaps another one.
    Resume,
}

/// A suspend is noticed within this time, even when it comes just when nobody listens.
pub(crate) const NOTICED: Duration = Duration::from_secs(32);

/// No three calls of a profile begin within this time.
pub(super) const TURN: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// When it began: not before …
    pub(crate) from: At,
    /// … and not after. The look into the store that it begins with may be somebody else's.
    pub(crate) begun: At,
    /// Its first call, and the one that it ended with.
    pub(crate) first: Called,
    pub(crate) last: Called,
    /// When the daemon knew its outcome: not before …
    pub(crate) until: At,
    /// … and not after.
    pub(crate) known: At,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Granted,
    /// The issuer rejects the credential, and may state a wait.
    Rejected(Option<Duration>),
    /// Nothing was sent: the issuer names another address now.
    Bound,
    Failed(Option<Duration>),
    /// It was broken off for another one.
    Aborted,
    Open,
}

impl Attempt {
    pub(crate) fn of(record: &Record, life: &Lived) -> Vec<Self> {
        let mut attempts: Vec<Self> = vec![];
        let calls: Vec<_> = life.calls().copied().collect();
        let former = former_calls(record, life);
        for (index, call) in calls.iter().enumerate() {
            // A look that was broken off was made anew.
            let since = index
                .checked_sub(1)
                .map_or(life.from, |last| calls[last].until);
            let is_put_off = is_put_off(record, &[&former, &calls[..=index]].concat());
            // The former secret is sent in place of the one that was found, if that one was rejected.
            let is_former = former_secret(&calls[..index]) == Some(call.secret);
            // Where the former one is rejected and the store cannot be read, it is the one that was read last.
            let is_stored = stored_secret(life, call.from) == Some(call.secret);
            let found = || {
                life.loads().filter(|load| {
                    let is_last = load.until.run == call.from.run
                        || (is_put_off
                            && since.run <= load.until.run
                            && load.until.run < call.from.run);
                    let leads_to_it = load.found == Some(Ok(call.secret));
                    let leads_to_former = is_former && load.found.is_some();
                    let leads_to_stored = is_stored && matches!(load.found, Some(Err(_)));
                    (leads_to_it || leads_to_former || leads_to_stored) && is_last
                })
            };
            let before = attempts.last_mut();
            let outcome = outcome(record, life, call, calls.get(index + 1));
            let known = known(life, call);
            if let Some(before) = before
                && before.is_one_call()
                && is_permanent(&before.last)
                && !states_a_wait(&before.last)
                && before.last.secret != call.secret
                && found().any(|load| load.from.run == before.last.until.run)
            {
                (before.last, before.outcome) = (*call, outcome);
                (before.until, before.known) = (call.until, known);
                continue;
            }
            let broken = life.loads().filter(|load| {
                load.found.is_none() && since.run <= load.from.run && load.from.run < call.from.run
            });
            let looks = found().chain(broken).map(|load| load.from);
            // What was put off may have begun as soon as the one before had ended.
            let first = if is_put_off { since } else { call.from };
            attempts.push(Self {
                from: looks.min().unwrap_or(first).min(first),
                begun: call.from,
                first: *call,
                last: *call,
                until: call.until,
                known,
                outcome,
            });
        }
        attempts
    }

    /// Its one or two calls.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Called> {
        let second = Some(&self.last).filter(|_| !self.is_one_call());
        std::iter::once(&self.first).chain(second)
    }

    pub(super) fn is_one_call(&self) -> bool {
        self.first.number == self.last.number
    }
}

/// The secret that the issuer accepted last, unless it has rejected it since.
pub(super) fn former_secret(calls: &[Called]) -> Option<u32> {
    calls.iter().fold(None, |former, call| match call.end {
        CallEnd::Granted(_) => Some(call.secret),
        CallEnd::Failed(FaultKind::Rejected, _) => former.filter(|former| *former != call.secret),
        _ => former,
    })
}

/// The secret that the store held when it was last read with success.
pub(super) fn stored_secret(life: &Lived, at: At) -> Option<u32> {
    let reads = life.loads().filter(|load| load.until.run <= at.run);
    reads.filter_map(|load| load.found?.ok()).last()
}

/// The last calls of the profile's former lives: a life that follows them at the same issuer keeps to their limit.
fn former_calls(record: &Record, life: &Lived) -> Vec<Called> {
    let is_former = |former: &&Lived| former.profile == life.profile && former.number < life.number;
    let former = record.lives.iter().filter(is_former);
    let calls: Vec<_> = former.flat_map(Lived::calls).copied().collect();
    calls[calls.len().saturating_sub(2)..].to_vec()
}

/// When the call after the next one of this call may begin.
fn turn_after(older: &Called) -> BootInstant {
    // When one that was broken off had been sent is not known: it counts as the last that could be.
    let began = match older.end {
        CallEnd::Dropped => older.until,
        _ => older.from,
    };
    began.boot.after(TURN)
}

/// When a life that ended may have made the call that would have been its next one: it may have waited for its turn.
pub(super) fn turn_at_end(record: &Record, life: &Lived) -> Option<BootInstant> {
    let mut calls = former_calls(record, life);
    calls.extend(life.calls().copied());
    match calls.as_slice() {
        [.., older, _] => Some(turn_after(older)),
        _ => None,
    }
}

/// Whether the last of these calls waited for its turn: of three calls in a second the third is put off to its end.
fn is_put_off(record: &Record, calls: &[Called]) -> bool {
    let [.., older, _, call] = calls else {
        return false;
    };
    let turn = turn_after(older);
    // Its turn may have come while the machine slept.
    let is_late = call.from.boot > record.awake(turn).after(GRAIN)
        && record.resumed(call.from, GRAIN).is_none();
    turn <= call.from.boot && !is_late
}

fn outcome(record: &Record, life: &Lived, call: &Called, next: Option<&Called>) -> Outcome {
    match call.end {
        CallEnd::Open => Outcome::Open,
        CallEnd::Granted(_) => Outcome::Granted,
        // It was broken off while it looked for another secret.
        CallEnd::Failed(FaultKind::Rejected | FaultKind::BindingChanged, _)
            if next.is_some_and(|next| !is_withheld(life, call, next))
                && life
                    .loads()
                    .any(|load| load.from.run == call.until.run && load.found.is_none()) =>
        {
            Outcome::Aborted
        }
        CallEnd::Failed(FaultKind::Rejected, wait) => Outcome::Rejected(wait),
        CallEnd::Failed(FaultKind::BindingChanged, _) => Outcome::Bound,
        CallEnd::Failed(_, wait) => Outcome::Failed(wait),
        CallEnd::Dropped if is_broken_off(record, life, call, next) => Outcome::Aborted,
        // It used up its time.
        CallEnd::Dropped => Outcome::Failed(None),
    }
}

/// Whether the attempt that took the place of this one found the rejected secret again, and sent nothing.
fn is_withheld(life: &Lived, call: &Called, next: &Called) -> bool {
    let mut loads = life.loads().filter(|load| load.from.run > call.until.run);
    loads.any(|load| load.found == Some(Ok(call.secret)) && load.until.run < next.from.run)
}

/// Whether a call that was dropped was so for another one: since the machine had slept, or there is another secret, or
/// somebody had the daemon look for one.
fn is_broken_off(record: &Record, life: &Lived, call: &Called, next: Option<&Called>) -> bool {
    let Some(next) = next else { return false };
    let at = call.until;
    let mut loads = life.loads();
    let looks = loads.any(|load| load.from.run == at.run && load.until.run == next.from.run);
    let resumed = record.resumed(at, NOTICED).is_some();
    let is_other = next.secret != call.secret || resumed;
    // Or the one that was to take its place found nothing to ask with.
    let in_vain = |load: &Loaded| load.from.run == at.run && matches!(load.found, Some(Err(_)));
    is_other && (next.from.run == at.run || looks || (resumed && life.loads().any(in_vain)))
}

pub(crate) fn is_permanent(call: &Called) -> bool {
    matches!(
        call.end,
        CallEnd::Failed(FaultKind::Rejected | FaultKind::BindingChanged, _)
    )
}

/// The wait holds for every secret, so that no second call follows at once.
pub(super) fn states_a_wait(call: &Called) -> bool {
    matches!(call.end, CallEnd::Failed(_, Some(wait)) if !wait.is_zero())
}

/// After a rejection the store is looked at first.
fn known(life: &Lived, call: &Called) -> At {
    // One that was broken off ended with the attempt.
    let looks = |load: &&Loaded| load.from.run == call.until.run && load.found.is_some();
    let last = life.loads().filter(looks).map(|load| load.until).max();
    last.filter(|_| is_permanent(call)).unwrap_or(call.until)
}
