//! When to refresh and when to try again: pure functions of the moment, the validity and the jitter.
//!
//! Every function keeps these invariants, each a property test below:
//! (a) nothing is due before now + [`FLOOR`], and a retry never later than 15 min, or 1 h where the issuer stated a longer
//! `Retry-After` twice;
//! (b) a soft refresh falls inside 0.40 … 0.60 of the lifetime, however short, unless that is already past;
//! (c) jitter moves it inside that window only;
//! (d) what is past its point is due at now + floor, never in a faster loop;
//! (e) zero, reversed, tiny and enormous lifetimes neither panic nor overflow;
//! (f) a retry decided before F = expiry − min(60 s, lifetime/10) is due no later than max(F, now + floor), whatever
//! `Retry-After` says;
//! (g) `Retry-After` is clamped to 1 … 300 s, and to 1 … 3,600 s when it is stated again;
//! (h) at equal attempt and jitter a later now never gives an earlier answer.
//!
//! Where an early refresh is of no use or does harm ([`Reissue`]), the late window takes the place of (b).

use std::time::Duration;

use crate::instant::BootInstant;
use crate::token::Validity;

mod absence;
mod demand;
mod probe;
mod rejections;

pub use absence::{ABSENCE_PATIENCE, ABSENCE_PROBE, absence_due, is_absence_long};
pub use demand::{
    DEMAND_SPACING, FAILURES_HOURLY, FailureBudget, STATED_ONCE, STATED_TWICE, demand_due,
    demand_due_in_outage, stated_wait,
};
pub use probe::probe_due_holding;
pub use rejections::{RejectionCount, probe_due};

/// Nothing is ever due sooner than this: without a floor a clock or an answer of a strange kind makes a hot loop
/// (hashicorp/vault#26382).
pub const FLOOR: Duration = Duration::from_millis(500);

/// The soft refresh is due at a uniformly random point between these two parts of the lifetime.
///
/// At least 40 % of a lifetime is left to ride out an outage, and a fleet that started together spreads out: in a
/// simulation of 10,000 daemons the busiest 10 s see 3.0 times the mean, against 286 times at 80 % ± 10 s.
pub const SOFT_WINDOW: (f64, f64) = (0.40, 0.60);

/// The same token again: the next try is after a uniformly random part between these two of what is left of it.
const SAME_WINDOW: (f64, f64) = (0.75, 0.85);

/// The first back-off; each further one is up to twice as long.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);

/// The longest back-off while there is time.
const BACKOFF_CAP: Duration = Duration::from_secs(60);

/// The longest back-off when less than [`LATE`] is left of the token held.
const BACKOFF_CAP_LATE: Duration = Duration::from_secs(10);

/// When it is late: this long before the expiry.
const LATE: Duration = Duration::from_secs(300);

/// The first probe with the breaker open; each further one comes after twice the time.
const PROBE_FIRST: Duration = Duration::from_secs(60);

/// The longest time between probes with the breaker open.
pub const PROBE_CAP: Duration = Duration::from_secs(900);

/// An attempt is never given less than this: a healthy issuer that is far away takes a part of it.
const ATTEMPT_FLOOR: Duration = Duration::from_secs(2);

/// A token with this much left is still of use: who waits for a longer one is given it before it has less.
const USABLE: Duration = Duration::from_secs(10);

/// A profile rests when nobody asked for this many lifetimes of its token.
const FORGOTTEN_AFTER: u32 = 2;

/// At most one requested refresh in this time.
const REFRESH_SPACING: Duration = Duration::from_secs(10);

/// At most [`REFRESH_BUDGET`] requested refreshes in this time.
const REFRESH_WINDOW: Duration = Duration::from_secs(3_600);

/// How many requested refreshes an hour may see.
pub const REFRESH_BUDGET: usize = 20;

/// At most [`REPORT_BUDGET`] refreshes in this time.
pub const REPORT_WINDOW: Duration = Duration::from_secs(3_600);

/// How many refreshes an hour may see because of reports by users other than the daemon's own and root. One such user
/// alone cannot use it up: its cool-down allows it fewer.
pub const REPORT_BUDGET: usize = 20;

/// What an issuer does that is asked for a token while the last one holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reissue {
    /// It gives a new token, and the last one holds on.
    #[default]
    Normal,
    /// It gives the same token until that one expires.
    SameUntilExpiry,
    /// It gives a new token, and the last one is valid no longer.
    KillsOld,
}

/// A random number in [0, 1): the jitter, as an argument.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Unit(f64);

impl Unit {
    /// Takes any number into [0, 1): what is not a number is 0.
    pub fn new(x: f64) -> Self {
        if x.is_nan() {
            Self(0.0)
        } else {
            Self(x.clamp(0.0, 1.0 - f64::EPSILON))
        }
    }
}

impl Reissue {
    /// The word for it in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::SameUntilExpiry => "same-until-expiry",
            Self::KillsOld => "kills-old",
        }
    }
}

/// When the refresh of a new token is due.
pub fn due(now: BootInstant, validity: &Validity, reissue: Reissue, jitter: Unit) -> BootInstant {
    match reissue {
        Reissue::Normal => refresh_due(now, validity, jitter),
        Reissue::SameUntilExpiry | Reissue::KillsOld => late_refresh_due(now, validity, jitter),
    }
}

/// When the soft refresh of a token is due.
pub fn refresh_due(now: BootInstant, validity: &Validity, jitter: Unit) -> BootInstant {
    let (from, to) = SOFT_WINDOW;
    let point = validity
        .issued
        .after(validity.lifetime.mul_f64(from + (to - from) * jitter.0));
    point.max(now.after(FLOOR))
}

/// When the refresh of a token is due that must not be early: at a uniformly random point between two and one times
/// min(60 s, lifetime/10) before the expiry, so that there is still the last call of invariant (f).
pub fn late_refresh_due(now: BootInstant, validity: &Validity, jitter: Unit) -> BootInstant {
    let margin = margin(validity.lifetime);
    let point = validity
        .expires
        .before(margin.saturating_mul(2))
        .after(margin.mul_f64(jitter.0));
    point.max(now.after(FLOOR))
}

/// When to try again after the `attempt`-th failure in a row (0 for the first), `held` being the validity of the
/// token still held, if any, and `not_before` the end of the wait that the issuer asked for.
pub fn retry_due(
    now: BootInstant,
    attempt: u32,
    held: Option<&Validity>,
    not_before: Option<BootInstant>,
    jitter: Unit,
) -> BootInstant {
    let floor = now.after(FLOOR);
    let backoff = BACKOFF_FIRST.saturating_mul(1u32.checked_shl(attempt).unwrap_or(u32::MAX));
    let any_time = now.after(backoff.min(BACKOFF_CAP).mul_f64(jitter.0));
    let asked = |due: BootInstant| not_before.map_or(due, |at| due.max(at));
    let Some(held) = held.filter(|v| v.holds(now)) else {
        return asked(any_time).max(floor);
    };
    let late = now
        .max(held.expires.before(LATE))
        .after(backoff.min(BACKOFF_CAP_LATE).mul_f64(jitter.0));
    let due = asked(any_time.min(late)).max(floor);
    let last_call = last_call(held);
    if now < last_call {
        due.min(last_call.max(floor))
    } else {
        due
    }
}

/// F of invariant (f): the moment of the try that an outage always gets before the expiry.
pub fn last_call(held: &Validity) -> BootInstant {
    held.expires.before(margin(held.lifetime))
}

fn margin(lifetime: Duration) -> Duration {
    (lifetime / 10).min(Duration::from_secs(60))
}

/// How long an attempt may take that starts at `now`: while a valid token is held, half of the time until the last call,
/// and from then on no longer than until the expiry, so that an issuer which hangs does not use up the time in which
/// another try would have succeeded. Without a valid token there is nothing to lose by waiting.
pub fn attempt_limit(now: BootInstant, held: Option<&Validity>) -> Option<Duration> {
    let held = held.filter(|v| v.holds(now))?;
    let last_call = last_call(held);
    let limit = if now < last_call {
        last_call.since(now) / 2
    } else {
        held.expires.since(now)
    };
    Some(limit.max(ATTEMPT_FLOOR))
}

/// How long somebody may wait who would like a longer token than the one held: `wait`, but only until that one comes to be
/// of no use. One that is so already, or has ended, is nothing to save.
pub fn patience(now: BootInstant, held: Option<&Validity>, wait: Duration) -> Duration {
    let usable = held.map_or(Duration::ZERO, |held| {
        held.remaining(now).saturating_sub(USABLE)
    });
    if usable.is_zero() {
        wait
    } else {
        wait.min(usable)
    }
}

/// 1, 2, 4 … 15 min.
fn probe_wait(doublings: u32) -> Duration {
    let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
    PROBE_FIRST.saturating_mul(factor).min(PROBE_CAP)
}

/// Whether nobody wants a token any more: the last one who asked did so at `asked`, two lifetimes of it ago or more.
pub fn forgotten(now: BootInstant, asked: BootInstant, lifetime: Duration) -> bool {
    now.since(asked) >= lifetime.saturating_mul(FORGOTTEN_AFTER)
}

/// The next refresh of a token that the issuer gave a second time: it gives a new one only when that one ends, so we come
/// ever nearer to the end, and after it ask ever more rarely.
pub fn same_token_due(now: BootInstant, validity: &Validity, jitter: Unit) -> BootInstant {
    let (from, to) = SAME_WINDOW;
    let part = from + (to - from) * jitter.0;
    let wait = if validity.holds(now) {
        validity.remaining(now).mul_f64(part)
    } else {
        now.since(validity.expires).mul_f64(part).min(BACKOFF_CAP)
    };
    now.after(wait.max(FLOOR))
}

/// When a report that the token issued at `issued` is rejected may lead to its refresh, `chain` being how many tokens in a
/// row, up to this one, took the place of a reported one: at once for the first two, then 1, 2, 4 … 15 min after its issue.
/// Where fresh tokens keep being rejected a new one is no help, and would only use up what the issuer gives us.
pub fn report_due(issued: BootInstant, chain: u32) -> BootInstant {
    match chain {
        0 | 1 => issued,
        n => issued.after(probe_wait(n - 2)),
    }
}

/// Whether a token that is reported now, and was issued at `issued`, is so fresh that the resource may be what is broken.
pub fn reported_early(now: BootInstant, issued: BootInstant) -> bool {
    now.since(issued) < PROBE_CAP
}

/// When a requested refresh is allowed: at once, or at the moment given by `Err`. `granted` holds the moments of the
/// earlier ones, oldest first.
///
/// # Errors
/// The earliest moment at which the request would be allowed.
pub fn refresh_budget(now: BootInstant, granted: &[BootInstant]) -> Result<(), BootInstant> {
    let spaced = granted.last().map(|last| last.after(REFRESH_SPACING));
    let hourly = granted
        .len()
        .checked_sub(REFRESH_BUDGET)
        .and_then(|i| granted.get(i))
        .map(|at| at.after(REFRESH_WINDOW));
    match spaced.max(hourly) {
        Some(at) if now < at => Err(at),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
