//! Decides when to refresh and when to retry: pure functions of the time, the validity and the jitter.
//!
//! Every function keeps these invariants, each checked by a property test:
//! - (a) Nothing is due before now + [`FLOOR`]. A retry is due within 15 min, or within 1 h if the issuer stated a
//!   longer `Retry-After` twice.
//! - (b) A soft refresh falls inside 0.40 … 0.60 of the lifetime, however short, unless that has already passed.
//! - (c) Jitter moves it only inside that window.
//! - (d) What is overdue is due at now + floor, never in a faster loop.
//! - (e) Zero, reversed, tiny and enormous lifetimes neither panic nor overflow.
//! - (f) A retry decided before F = expiry − min(60 s, lifetime/10) is due no later than max(F, now + floor), whatever
//!   `Retry-After` says.
//! - (g) `Retry-After` is clamped to 1 … 300 s, and to 1 … 3,600 s if it is stated again.
//! - (h) At equal attempt and jitter, a later now never gives an earlier result.
//!
//! If an early refresh would be useless or harmful ([`Reissue`]), the late window replaces (b).

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

/// Smallest delay that any function returns. Without a floor, a strange clock or answer would cause a hot loop
/// (hashicorp/vault#26382).
pub const FLOOR: Duration = Duration::from_millis(500);

/// The soft refresh is due at a uniformly random point between these two parts of the lifetime.
///
/// So at least 40 % of a lifetime remain to ride out an outage, and a fleet that started together spreads out. In a
/// simulation of 10,000 daemons, the busiest 10 s see 3.0 times the mean, against 286 times with 80 % ± 10 s.
pub const SOFT_WINDOW: (f64, f64) = (0.40, 0.60);

/// After the issuer has repeated a token, the next attempt is due after a uniformly random part of the remaining
/// validity, between these two.
const SAME_WINDOW: (f64, f64) = (0.75, 0.85);

/// First back-off. Each further one is up to twice as long.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);

/// Longest back-off without a token, or while the held token is valid for longer than [`LATE`].
const BACKOFF_CAP: Duration = Duration::from_secs(60);

/// Longest back-off when the held token is valid for less than [`LATE`].
const BACKOFF_CAP_LATE: Duration = Duration::from_secs(10);

/// Remaining validity below which [`BACKOFF_CAP_LATE`] applies.
const LATE: Duration = Duration::from_secs(300);

/// Delay of the first probe while the circuit breaker is open. Each further delay is twice as long.
const PROBE_FIRST: Duration = Duration::from_secs(60);

/// Longest delay between two probes while the circuit breaker is open.
pub const PROBE_CAP: Duration = Duration::from_secs(900);

/// Smallest time limit of an attempt. A healthy but distant issuer needs a part of it.
const ATTEMPT_FLOOR: Duration = Duration::from_secs(2);

/// A token with this much validity left is still useful. A caller that waits for a longer one gets it before less is
/// left.
const USABLE: Duration = Duration::from_secs(10);

/// A profile rests after this many lifetimes of its token without a request.
const FORGOTTEN_AFTER: u32 = 2;

/// Shortest time between two requested refreshes.
const REFRESH_SPACING: Duration = Duration::from_secs(10);

/// Period of [`REFRESH_BUDGET`].
const REFRESH_WINDOW: Duration = Duration::from_secs(3_600);

/// Maximum number of requested refreshes per hour.
pub const REFRESH_BUDGET: usize = 20;

/// Period of [`REPORT_BUDGET`].
pub const REPORT_WINDOW: Duration = Duration::from_secs(3_600);

/// Maximum number of refreshes per hour that reports of users other than the daemon's own and root may cause. One such
/// user cannot use up the budget alone, because the cool-down allows each user fewer.
pub const REPORT_BUDGET: usize = 20;

/// How an issuer answers a request while its last token is still valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reissue {
    /// It gives a new token, and the last one stays valid.
    #[default]
    Normal,
    /// It returns the same token until that one expires.
    SameUntilExpiry,
    /// It gives a new token, and the last one becomes invalid.
    KillsOld,
}

/// A random number in [0, 1) for jitter, passed as an argument.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Jitter(f64);

impl Jitter {
    /// Clamps any number to [0, 1). `NaN` becomes 0.
    pub fn new(x: f64) -> Self {
        if x.is_nan() {
            Self(0.0)
        } else {
            Self(x.clamp(0.0, 1.0 - f64::EPSILON))
        }
    }
}

impl Reissue {
    /// Returns the value's name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::SameUntilExpiry => "same-until-expiry",
            Self::KillsOld => "kills-old",
        }
    }
}

/// Returns when the refresh of a new token is due.
pub fn due(now: BootInstant, validity: &Validity, reissue: Reissue, jitter: Jitter) -> BootInstant {
    match reissue {
        Reissue::Normal => refresh_due(now, validity, jitter),
        Reissue::SameUntilExpiry | Reissue::KillsOld => late_refresh_due(now, validity, jitter),
    }
}

/// Returns when the soft refresh of a token is due.
pub fn refresh_due(now: BootInstant, validity: &Validity, jitter: Jitter) -> BootInstant {
    let (from, to) = SOFT_WINDOW;
    let point = validity
        .issued
        .after(validity.lifetime.mul_f64(from + (to - from) * jitter.0));
    point.max(now.after(FLOOR))
}

/// Returns when the refresh of a token is due that must not be refreshed early. It is a uniformly random point between
/// 2 m and m before the expiry, with m = min(60 s, lifetime/10). This leaves room for the last attempt of invariant
/// (f).
pub fn late_refresh_due(now: BootInstant, validity: &Validity, jitter: Jitter) -> BootInstant {
    let margin = margin(validity.lifetime);
    let point = validity
        .expires
        .before(margin.saturating_mul(2))
        .after(margin.mul_f64(jitter.0));
    point.max(now.after(FLOOR))
}

/// Returns when to retry after the `attempt`-th failure in a row (0 for the first). `held` is the validity of the held
/// token, if any. `not_before` is the end of the wait that the issuer stated.
pub fn retry_due(
    now: BootInstant,
    attempt: u32,
    held: Option<&Validity>,
    not_before: Option<BootInstant>,
    jitter: Jitter,
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

/// Returns F of invariant (f): the moment of the last attempt before the expiry, which is made in every outage.
pub fn last_call(held: &Validity) -> BootInstant {
    held.expires.before(margin(held.lifetime))
}

fn margin(lifetime: Duration) -> Duration {
    (lifetime / 10).min(Duration::from_secs(60))
}

/// Returns the time limit of an attempt that starts at `now`. While a valid token is held, the limit is half of the
/// time until the last attempt, and later the time until the expiry. So an issuer that hangs does not use up the time
/// in which another attempt would have succeeded. Without a valid token there is no limit, because waiting costs
/// nothing.
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

/// Returns how long a caller may wait that wants more validity than the held token has: at most `wait`, and no longer
/// than the held token is useful. If that token is no longer useful or has expired, only `wait` limits the time.
pub fn capped_wait(now: BootInstant, held: Option<&Validity>, wait: Duration) -> Duration {
    let usable = held.map_or(Duration::ZERO, |held| {
        held.remaining(now).saturating_sub(USABLE)
    });
    if usable.is_zero() {
        wait
    } else {
        wait.min(usable)
    }
}

/// Returns the delay of a probe: 1, 2, 4 … 15 min.
fn probe_wait(doublings: u32) -> Duration {
    let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
    PROBE_FIRST.saturating_mul(factor).min(PROBE_CAP)
}

/// Whether the last request, made at `asked`, is at least two lifetimes of the token before `now`.
pub fn is_unrequested(now: BootInstant, asked: BootInstant, lifetime: Duration) -> bool {
    now.since(asked) >= lifetime.saturating_mul(FORGOTTEN_AFTER)
}

/// Returns when to attempt the next refresh of a token that the issuer has repeated. The issuer gives a new one only
/// when that one expires. So the attempts become more frequent towards the expiry, and ever rarer after it.
pub fn same_token_due(now: BootInstant, validity: &Validity, jitter: Jitter) -> BootInstant {
    let (from, to) = SAME_WINDOW;
    let part = from + (to - from) * jitter.0;
    let wait = if validity.holds(now) {
        validity.remaining(now).mul_f64(part)
    } else {
        now.since(validity.expires).mul_f64(part).min(BACKOFF_CAP)
    };
    now.after(wait.max(FLOOR))
}

/// Returns when a report that the token issued at `issued` was rejected may cause its refresh. `chain` is the number of
/// tokens in a row, up to this one, that replaced a reported one. The first two are due at once, then 1, 2, 4 … 15 min
/// after the token's issue. If fresh tokens keep being rejected, a new one does not help, and would only use up the
/// issuer's quota.
pub fn report_due(issued: BootInstant, chain: u32) -> BootInstant {
    match chain {
        0 | 1 => issued,
        n => issued.after(probe_wait(n - 2)),
    }
}

/// Whether a token that is reported at `now` and was issued at `issued` is so fresh that the resource may be at fault.
pub fn is_fresh_at_report(now: BootInstant, issued: BootInstant) -> bool {
    now.since(issued) < PROBE_CAP
}

/// Checks whether a requested refresh is allowed now. `granted` holds the moments of the earlier ones, oldest first.
///
/// # Errors
/// The earliest time at which the request would be allowed.
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
