//! When to refresh and when to try again: pure functions of the moment, the validity and the jitter.
//!
//! Every function keeps these invariants, each a property test below:
//! (a) nothing is due before now + [`FLOOR`], and a retry never later than 15 min;
//! (b) a soft refresh falls inside 0.40 … 0.60 of the lifetime, however short, unless that is already past;
//! (c) jitter moves it inside that window only;
//! (d) what is past its point is due at now + floor, never in a faster loop;
//! (e) zero, reversed, tiny and enormous lifetimes neither panic nor overflow;
//! (f) a retry decided before F = expiry − min(60 s, lifetime/10) is due no later than max(F, now + floor);
//! (g) `Retry-After` is clamped to 1 … 300 s;
//! (h) at equal attempt and jitter a later now never gives an earlier answer.

use std::time::Duration;

use crate::instant::BootInstant;
use crate::token::Validity;

/// Nothing is ever due sooner than this: without a floor a clock or an answer of a strange kind makes a hot loop
/// (hashicorp/vault#26382).
pub const FLOOR: Duration = Duration::from_millis(500);

/// The soft refresh is due at a uniformly random point between these two parts of the lifetime.
///
/// At least 40 % of a lifetime is left to ride out an outage, and a fleet that started together spreads out: in a
/// simulation of 10,000 daemons the busiest 10 s see 3.0 times the mean, against 286 times at 80 % ± 10 s.
pub const SOFT_WINDOW: (f64, f64) = (0.40, 0.60);

/// The first back-off; each further one is up to twice as long.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);

/// The longest back-off while there is time.
const BACKOFF_CAP: Duration = Duration::from_secs(60);

/// The longest back-off when less than [`LATE`] is left of the token held.
const BACKOFF_CAP_LATE: Duration = Duration::from_secs(10);

/// When it is late: this long before the expiry.
const LATE: Duration = Duration::from_secs(300);

/// What is believed of a `Retry-After`.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// The one quick retry of a rejected credential: replicas of an issuer may lag behind a new secret.
const REJECTED_FIRST: Duration = Duration::from_secs(5);

/// The first probe with the breaker open; each further one comes after twice the time.
const PROBE_FIRST: Duration = Duration::from_secs(60);

/// The longest time between probes with the breaker open.
pub const PROBE_CAP: Duration = Duration::from_secs(900);

/// An attempt is never given less than this: a healthy issuer that is far away takes a part of it.
const ATTEMPT_FLOOR: Duration = Duration::from_secs(2);

/// A caller without any valid token may cause an attempt, but no two within this time.
pub const DEMAND_SPACING: Duration = Duration::from_secs(2);

/// At most one requested refresh in this time.
const REFRESH_SPACING: Duration = Duration::from_secs(10);

/// At most [`REFRESH_BUDGET`] requested refreshes in this time.
const REFRESH_WINDOW: Duration = Duration::from_secs(3_600);

/// How many requested refreshes an hour may see.
pub const REFRESH_BUDGET: usize = 20;

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

/// When the soft refresh of a token is due.
pub fn refresh_due(now: BootInstant, validity: &Validity, jitter: Unit) -> BootInstant {
    let (from, to) = SOFT_WINDOW;
    let point = validity
        .issued
        .after(validity.lifetime.mul_f64(from + (to - from) * jitter.0));
    point.max(now.after(FLOOR))
}

/// When to try again after the `attempt`-th failure in a row (0 for the first), `held` being the validity of the
/// token still held, if any, and `retry_after` the wait that the issuer asked for.
pub fn retry_due(
    now: BootInstant,
    attempt: u32,
    held: Option<&Validity>,
    retry_after: Option<Duration>,
    jitter: Unit,
) -> BootInstant {
    let floor = now.after(FLOOR);
    let backoff = BACKOFF_FIRST.saturating_mul(1u32.checked_shl(attempt).unwrap_or(u32::MAX));
    let any_time = now.after(backoff.min(BACKOFF_CAP).mul_f64(jitter.0));
    let asked = |due: BootInstant| match retry_after {
        Some(wait) => due.max(now.after(wait.clamp(RETRY_AFTER.0, RETRY_AFTER.1))),
        None => due,
    };
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
    held.expires
        .before((held.lifetime / 10).min(Duration::from_secs(60)))
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

/// When to try a rejected credential again, `rejections` being how often in a row it was rejected (1 for the first):
/// once after 5 s, then the breaker's probes at 1, 2, 4 … 15 min.
pub fn probe_due(now: BootInstant, rejections: u32) -> BootInstant {
    let wait = match rejections {
        0 | 1 => REJECTED_FIRST,
        n => PROBE_FIRST
            .saturating_mul(1u32.checked_shl(n - 2).unwrap_or(u32::MAX))
            .min(PROBE_CAP),
    };
    now.after(wait)
}

/// The earliest moment at which a caller may cause an attempt, the last one having started at `last`.
pub fn demand_due(now: BootInstant, last: Option<BootInstant>) -> BootInstant {
    last.map_or(now, |at| at.after(DEMAND_SPACING)).max(now)
}

/// The next refresh of a token that the issuer gave a second time: it gives a new one only when that one ends.
pub fn same_token_due(now: BootInstant, validity: &Validity) -> BootInstant {
    validity.expires.max(now.after(FLOOR))
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secs(s: f64) -> Duration {
        Duration::from_secs_f64(s)
    }

    fn boot() -> impl Strategy<Value = BootInstant> {
        (0u64..4_000_000_000_000).prop_map(|ms| BootInstant::from_boot(Duration::from_millis(ms)))
    }

    /// Lifetimes of every size, whether an issuer states them or not: [`Validity::new`] clamps them.
    fn validity() -> impl Strategy<Value = Validity> {
        let stated = prop_oneof![
            (0u64..10_000).prop_map(Duration::from_millis),
            (0u64..200_000).prop_map(Duration::from_secs),
            Just(Duration::MAX),
        ];
        (boot(), proptest::option::of(stated)).prop_map(|(at, l)| Validity::new(at, l))
    }

    /// Validities that no constructor makes: zero, reversed, at the ends of time.
    fn wild() -> impl Strategy<Value = Validity> {
        let any = (any::<u64>(), 0u32..1_000_000_000).prop_map(|(s, n)| Duration::new(s, n));
        let at = any.prop_map(BootInstant::from_boot);
        (at.clone(), 0u64..u64::MAX / 4, at).prop_map(|(issued, l, expires)| Validity {
            issued,
            lifetime: Duration::from_secs(l),
            expires,
        })
    }

    fn unit() -> impl Strategy<Value = Unit> {
        prop_oneof![
            (0.0f64..1.0).prop_map(Unit::new),
            Just(Unit::new(0.0)),
            Just(Unit::new(1.0))
        ]
    }

    fn hint() -> impl Strategy<Value = Option<Duration>> {
        proptest::option::of(prop_oneof![
            (0u64..1_000).prop_map(Duration::from_secs),
            Just(Duration::ZERO),
            Just(Duration::MAX),
        ])
    }

    /// A moment somewhere in or around the life of `v`.
    fn during(v: &Validity, part: f64) -> BootInstant {
        v.issued.after(v.lifetime.mul_f64(part))
    }

    proptest! {
        #![proptest_config(crate::testing::many_cases())]

        #[test]
        fn a_nothing_is_due_before_the_floor_and_no_retry_after_15_min(
            v in validity(), part in 0.0f64..1.5, n in 0u32..80, held: bool, hint in hint(), u in unit(),
        ) {
            let now = during(&v, part);
            prop_assert!(refresh_due(now, &v, u) >= now.after(FLOOR));
            prop_assert!(same_token_due(now, &v) >= now.after(FLOOR));
            let retry = retry_due(now, n, held.then_some(&v), hint, u);
            prop_assert!(retry >= now.after(FLOOR));
            prop_assert!(retry <= now.after(Duration::from_secs(900)));
            let probe = probe_due(now, n);
            prop_assert!(probe >= now.after(FLOOR) && probe <= now.after(PROBE_CAP));
        }

        #[test]
        fn b_and_c_a_soft_refresh_is_inside_its_window_whatever_the_jitter(
            v in validity(), delay in 0.0f64..0.7, u in unit(),
        ) {
            let now = during(&v, delay);
            let due = refresh_due(now, &v, u);
            let (open, close) = (during(&v, 0.40), during(&v, 0.60));
            if now.after(FLOOR) <= close {
                prop_assert!(due >= open && due <= close, "{due:?} not in {open:?} … {close:?}");
            } else {
                prop_assert_eq!(due, now.after(FLOOR));
            }
        }

        #[test]
        fn d_what_is_past_its_point_is_due_at_the_floor(v in validity(), late in 0.6f64..9.0, u in unit()) {
            let now = during(&v, late);
            prop_assert_eq!(refresh_due(now, &v, u), now.after(FLOOR));
        }

        #[test]
        fn e_no_lifetime_panics_or_overflows(v in wild(), now in boot(), n: u32, hint in hint(), u in unit()) {
            refresh_due(now, &v, u);
            retry_due(now, n, Some(&v), hint, u);
            same_token_due(now, &v);
            last_call(&v);
            probe_due(now, n);
            demand_due(now, Some(v.expires));
        }

        #[test]
        fn f_an_outage_always_gets_its_try_before_the_expiry(
            v in validity(), part in 0.0f64..1.0, n in 0u32..80, hint in hint(), u in unit(),
        ) {
            let now = during(&v, part);
            let f = v.expires.before((v.lifetime / 10).min(Duration::from_secs(60)));
            if now < f {
                prop_assert!(retry_due(now, n, Some(&v), hint, u) <= f.max(now.after(FLOOR)));
            }
        }

        #[test]
        fn an_attempt_leaves_time_for_another_before_the_expiry(v in validity(), part in 0.0f64..1.2) {
            let now = during(&v, part);
            let f = last_call(&v);
            match attempt_limit(now, Some(&v)) {
                None => prop_assert!(!v.holds(now)),
                Some(limit) if now < f => prop_assert_eq!(limit, (f.since(now) / 2).max(ATTEMPT_FLOOR)),
                Some(limit) => prop_assert_eq!(limit, v.expires.since(now).max(ATTEMPT_FLOOR)),
            }
            prop_assert_eq!(attempt_limit(now, None), None);
        }

        #[test]
        fn g_retry_after_is_honoured_between_1_and_300_s(now in boot(), n in 0u32..80, asked in 0u64..5_000, u in unit()) {
            let due = retry_due(now, n, None, Some(Duration::from_secs(asked)), u);
            prop_assert!(due >= now.after(Duration::from_secs(asked.clamp(1, 300))));
            prop_assert!(due <= now.after(Duration::from_secs(300)));
        }

        #[test]
        fn h_a_later_now_never_gives_an_earlier_answer(
            v in validity(), a in 0.0f64..1.5, b in 0.0f64..1.5, n in 0u32..80, hint in hint(), u in unit(),
        ) {
            let (early, late) = (during(&v, a.min(b)), during(&v, a.max(b)));
            prop_assert!(refresh_due(early, &v, u) <= refresh_due(late, &v, u));
            prop_assert!(retry_due(early, n, Some(&v), hint, u) <= retry_due(late, n, Some(&v), hint, u));
            prop_assert!(retry_due(early, n, None, hint, u) <= retry_due(late, n, None, hint, u));
        }
    }

    #[test]
    fn back_off_doubles_to_its_cap_and_is_shorter_when_it_is_late() {
        let sent = BootInstant::from_boot(Duration::from_secs(1_000));
        let v = Validity::new(sent, Some(Duration::from_secs(3_600)));
        let full = Unit::new(1.0);
        let early = sent.after(Duration::from_secs(1_800));
        let wait = |now, n, held| {
            retry_due(now, n, held, None, full)
                .since(now)
                .as_secs_f64()
                .round()
        };
        let waits: Vec<f64> = (0..9).map(|n| wait(early, n, Some(&v))).collect();
        assert_eq!(waits, [1.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        let late = v.expires.before(Duration::from_secs(200));
        assert_eq!(wait(late, 9, Some(&v)), 10.0);
        assert_eq!(wait(v.expires, 9, Some(&v)), 60.0);
    }

    #[test]
    fn a_rejected_credential_is_tried_once_more_and_then_probed_ever_more_rarely() {
        let now = BootInstant::from_boot(Duration::ZERO);
        let waits: Vec<u64> = (1..=8)
            .map(|n| probe_due(now, n).since(now).as_secs())
            .collect();
        assert_eq!(waits, [5, 60, 120, 240, 480, 900, 900, 900]);
    }

    #[test]
    fn requested_refreshes_are_spaced_and_counted() {
        let at = |s: f64| BootInstant::from_boot(secs(s));
        assert_eq!(refresh_budget(at(0.0), &[]), Ok(()));
        assert_eq!(refresh_budget(at(9.0), &[at(0.0)]), Err(at(10.0)));
        assert_eq!(refresh_budget(at(10.0), &[at(0.0)]), Ok(()));
        let twenty: Vec<_> = (0..20).map(|i| at(f64::from(i) * 10.0)).collect();
        assert_eq!(refresh_budget(at(300.0), &twenty), Err(at(3_600.0)));
        assert_eq!(refresh_budget(at(3_600.0), &twenty), Ok(()));
    }
}
