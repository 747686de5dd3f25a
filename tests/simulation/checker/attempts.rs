//! The attempts of a profile's life, each with one or two calls to the issuer.
//!
//! An attempt is a store read if there was one, a call, and a second call with another secret that was found after
//! the first one was rejected. A life is the time in which the daemon keeps a profile in one form.

use std::time::Duration;

use jetond::fault::FaultKind;
use jetond::instant::BootInstant;

use super::record::{CallEnd, GRAIN, IssuerCall, ProfileLife, Record, StoreRead};
use crate::history::Moment;

/// The cause of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The attempt was due.
    Due,
    /// A waiting request cannot be served.
    Caller,
    /// A client reported the held token.
    Report,
    /// A person requested it.
    Person,
    /// There is another secret, or an obstacle may be gone.
    Secret,
    /// The machine has slept: running calls are dead, and the network may have changed.
    Resume,
}

/// The daemon notices a suspend within this time in the worst case.
pub(crate) const NOTICED: Duration = Duration::from_secs(32);

/// No three calls of a profile begin within this time.
pub(super) const TURN: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// The earliest time of its begin.
    pub(crate) from: Moment,
    /// The latest time of its begin. The store read before it may have had another cause.
    pub(crate) begun: Moment,
    /// Its first call, and its last one, which may be the same.
    pub(crate) first: IssuerCall,
    pub(crate) last: IssuerCall,
    /// The earliest time at which the daemon knew the outcome.
    pub(crate) until: Moment,
    /// The latest time at which the daemon knew the outcome.
    pub(crate) known: Moment,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Granted,
    /// The issuer rejected the credential, and may have stated a wait.
    Rejected(Option<Duration>),
    /// Nothing was sent, because the issuer names another address now.
    Bound,
    Failed(Option<Duration>),
    /// The attempt was cancelled in favour of another one.
    Aborted,
    Open,
}

impl Attempt {
    pub(crate) fn of(record: &Record, life: &ProfileLife) -> Vec<Self> {
        let mut attempts: Vec<Self> = vec![];
        let calls: Vec<_> = life.calls().copied().collect();
        let former = former_calls(record, life);
        for (index, call) in calls.iter().enumerate() {
            // A store read that was cancelled was repeated.
            let since = index
                .checked_sub(1)
                .map_or(life.from, |last| calls[last].until);
            let is_put_off = is_put_off(record, life, &[&former, &calls[..=index]].concat());
            // The former secret is sent instead of the found one, if that one was rejected.
            let is_former = former_secret(&calls[..index]) == Some(call.secret);
            // If the former secret is rejected and the store cannot be read, the secret of the last read is sent.
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
            // An attempt that was delayed may have begun as soon as the previous one had ended.
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

    /// Returns its one or two calls.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &IssuerCall> {
        let second = Some(&self.last).filter(|_| !self.is_one_call());
        std::iter::once(&self.first).chain(second)
    }

    pub(super) fn is_one_call(&self) -> bool {
        self.first.number == self.last.number
    }
}

/// Returns the secret that the issuer accepted last, unless it has rejected that one since.
pub(super) fn former_secret(calls: &[IssuerCall]) -> Option<u32> {
    calls.iter().fold(None, |former, call| match call.end {
        CallEnd::Granted(_) => Some(call.secret),
        CallEnd::Failed(FaultKind::Rejected, _) => former.filter(|former| *former != call.secret),
        _ => former,
    })
}

/// Returns the secret at the last successful read of the store.
pub(super) fn stored_secret(life: &ProfileLife, at: Moment) -> Option<u32> {
    let reads = life.loads().filter(|load| load.until.run <= at.run);
    reads.filter_map(|load| load.found?.ok()).last()
}

/// Returns the last calls of the profile's former lives: their rate limit also applies to a later life at the same
/// issuer.
fn former_calls(record: &Record, life: &ProfileLife) -> Vec<IssuerCall> {
    let is_former =
        |former: &&ProfileLife| former.profile == life.profile && former.number < life.number;
    let former = record.lives.iter().filter(is_former);
    let calls: Vec<_> = former.flat_map(ProfileLife::calls).copied().collect();
    calls[calls.len().saturating_sub(2)..].to_vec()
}

/// Returns when the call after the next one may begin, by the rate limit.
fn turn_after(older: &IssuerCall) -> BootInstant {
    // It is unknown when a cancelled call was sent, so the latest possible time counts.
    let began = match older.end {
        CallEnd::Dropped => older.until,
        _ => older.from,
    };
    began.boot.after(TURN)
}

/// Returns whether the daemon may have counted this call twice. A suspend during the attempt's read of the store may be
/// noticed in the moment in which the read ends. The attempt then starts over just after the daemon has decided on its
/// call. The daemon cannot know whether that call was sent, so it counts it, and makes it again.
fn may_count_twice(record: &Record, life: &ProfileLife, call: &IssuerCall) -> bool {
    let lives = record.lives.iter().filter(|it| it.profile == life.profile);
    let mut loads = lives.flat_map(ProfileLife::loads).filter(|load| {
        load.found.is_some() && load.until.run == call.from.run && load.from.run < call.from.run
    });
    loads.any(|load| {
        let during = call.from.run.saturating_sub(load.from.run);
        record.resumed(call.from, during.min(NOTICED)).is_some()
    })
}

/// Returns when the rate limit may allow the next call after these ones, if they delay it: a third call within a second
/// waits for the second's end.
fn turns(
    record: &Record,
    life: &ProfileLife,
    calls: &[IssuerCall],
) -> impl Iterator<Item = BootInstant> {
    let older = calls.iter().nth_back(1).map(turn_after);
    let last = calls.last();
    let twice = last.filter(|last| may_count_twice(record, life, last));
    let twice = twice.map(|call| call.from.boot.after(TURN));
    older.into_iter().chain(twice)
}

/// Returns when an ended life could have made its next call, which may have waited for the rate limit.
pub(super) fn turn_at_end(record: &Record, life: &ProfileLife) -> Option<BootInstant> {
    let mut calls = former_calls(record, life);
    calls.extend(life.calls().copied());
    turns(record, life, &calls).max()
}

/// Returns whether the rate limit delayed the last of these calls.
fn is_put_off(record: &Record, life: &ProfileLife, calls: &[IssuerCall]) -> bool {
    let Some((call, before)) = calls.split_last() else {
        return false;
    };
    turns(record, life, before).any(|turn| {
        // The machine may have slept at the time when the call was allowed.
        let awake = record.awake(turn.after(GRAIN));
        turn <= call.from.boot && call.from.boot <= awake.after(GRAIN)
    })
}

fn outcome(
    record: &Record,
    life: &ProfileLife,
    call: &IssuerCall,
    next: Option<&IssuerCall>,
) -> Outcome {
    match call.end {
        CallEnd::Open => Outcome::Open,
        CallEnd::Granted(_) => Outcome::Granted,
        // The attempt was cancelled while it read the store for another secret.
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
        // The call reached its timeout.
        CallEnd::Dropped => Outcome::Failed(None),
    }
}

/// Returns whether the attempt that replaced this one found the rejected secret again and sent nothing.
fn is_withheld(life: &ProfileLife, call: &IssuerCall, next: &IssuerCall) -> bool {
    let mut loads = life.loads().filter(|load| load.from.run > call.until.run);
    loads.any(|load| load.found == Some(Ok(call.secret)) && load.until.run < next.from.run)
}

/// Returns whether a dropped call was cancelled in favour of another one: because the machine had slept, there is
/// another secret, or a request made the daemon read the store.
fn is_broken_off(
    record: &Record,
    life: &ProfileLife,
    call: &IssuerCall,
    next: Option<&IssuerCall>,
) -> bool {
    let Some(next) = next else { return false };
    let at = call.until;
    let mut loads = life.loads();
    let looks = loads.any(|load| load.from.run == at.run && load.until.run == next.from.run);
    let resumed = record.resumed(at, NOTICED).is_some();
    let is_other = next.secret != call.secret || resumed;
    // The replacing attempt may have continued with the result of a read that was already running.
    let unread = |load: &StoreRead| load.from.run == at.run && load.found.is_none();
    let shared = |load: &StoreRead| load.from.run < at.run && load.until.run == next.from.run;
    let continues = life.loads().any(unread) && life.loads().any(shared);
    // The replacing attempt may also have found no usable secret.
    let in_vain = |load: &StoreRead| load.from.run == at.run && matches!(load.found, Some(Err(_)));
    let replaces = next.from.run == at.run || looks || continues;
    is_other && (replaces || (resumed && life.loads().any(in_vain)))
}

pub(crate) fn is_permanent(call: &IssuerCall) -> bool {
    matches!(
        call.end,
        CallEnd::Failed(FaultKind::Rejected | FaultKind::BindingChanged, _)
    )
}

/// Returns whether the issuer stated a wait. It applies to every secret, so no second call follows at once.
pub(super) fn states_a_wait(call: &IssuerCall) -> bool {
    matches!(call.end, CallEnd::Failed(_, Some(wait)) if !wait.is_zero())
}

/// Returns when the outcome was known. After a rejection the daemon first reads the store.
fn known(life: &ProfileLife, call: &IssuerCall) -> Moment {
    // A read that was cancelled ended with the attempt.
    let looks = |load: &&StoreRead| load.from.run == call.until.run && load.found.is_some();
    let last = life.loads().filter(looks).map(|load| load.until).max();
    last.filter(|_| is_permanent(call)).unwrap_or(call.until)
}
