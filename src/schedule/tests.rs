#![expect(
    clippy::disallowed_methods,
    reason = "the tests use only valid numbers of seconds"
)]

use proptest::prelude::*;

use super::*;

fn secs(s: f64) -> Duration {
    Duration::from_secs_f64(s)
}

fn boot() -> impl Strategy<Value = BootInstant> {
    (0u64..4_000_000_000_000).prop_map(|ms| BootInstant::from_boot(Duration::from_millis(ms)))
}

/// Generates validities with lifetimes of every size, stated or not. [`Validity::new`] clamps them.
fn validity() -> impl Strategy<Value = Validity> {
    let stated = prop_oneof![
        (0u64..10_000).prop_map(Duration::from_millis),
        (0u64..200_000).prop_map(Duration::from_secs),
        Just(Duration::MAX),
    ];
    (boot(), proptest::option::of(stated)).prop_map(|(at, l)| Validity::new(at, l))
}

/// Generates validities that no constructor creates: zero, reversed, and at the ends of time.
fn wild() -> impl Strategy<Value = Validity> {
    let any = (any::<u64>(), 0u32..1_000_000_000).prop_map(|(s, n)| Duration::new(s, n));
    let at = any.prop_map(BootInstant::from_boot);
    (at.clone(), 0u64..u64::MAX / 4, at).prop_map(|(issued, l, expires)| Validity {
        issued,
        lifetime: Duration::from_secs(l),
        expires,
    })
}

fn unit() -> impl Strategy<Value = Jitter> {
    prop_oneof![
        (0.0f64..1.0).prop_map(Jitter::new),
        Just(Jitter::new(0.0)),
        Just(Jitter::new(1.0))
    ]
}

/// Generates a stated wait, and whether it was stated again.
fn hint() -> impl Strategy<Value = (Option<Duration>, bool)> {
    (stated(), any::<bool>())
}

/// Returns the end of the wait that the issuer stated at `now`.
fn not_before(now: BootInstant, hint: (Option<Duration>, bool)) -> Option<BootInstant> {
    let (stated, is_again) = hint;
    stated.map(|stated| now.after(stated_wait(stated, is_again)))
}

fn stated() -> impl Strategy<Value = Option<Duration>> {
    proptest::option::of(prop_oneof![
        (0u64..5_000).prop_map(Duration::from_secs),
        Just(Duration::ZERO),
        Just(Duration::MAX),
    ])
}

/// Returns a moment in or around the lifetime of `v`.
fn during(v: &Validity, part: f64) -> BootInstant {
    v.issued.after(v.lifetime.mul_f64(part))
}

proptest! {
    #![proptest_config(crate::testing::many_cases())]

    #[test]
    fn a_no_attempt_is_due_before_the_floor_and_no_retry_after_its_maximum(
        v in validity(), part in 0.0f64..1.5, n in 0u32..80, held: bool, hint in hint(), u in unit(),
    ) {
        let now = during(&v, part);
        prop_assert!(refresh_due(now, &v, u) >= now.after(FLOOR));
        prop_assert!(late_refresh_due(now, &v, u) >= now.after(FLOOR));
        let again = same_token_due(now, &v, u);
        prop_assert!(again >= now.after(FLOOR));
        prop_assert!(again <= v.expires.max(now.after(BACKOFF_CAP)));
        let retry = retry_due(now, n, held.then_some(&v), not_before(now, hint), u);
        prop_assert!(retry >= now.after(FLOOR));
        let most = if hint.1 { STATED_TWICE } else { Duration::from_secs(900) };
        prop_assert!(retry <= now.after(most));
        let probe = probe_due(now, RejectionCount::certain(n));
        prop_assert!(probe >= now.after(FLOOR) && probe <= now.after(PROBE_CAP));
    }

    #[test]
    fn b_and_c_a_soft_refresh_is_inside_its_window_for_any_jitter(
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
    fn b_and_c_a_late_refresh_is_inside_its_window_for_any_jitter(
        v in validity(), part in 0.0f64..1.2, u in unit(),
    ) {
        let now = during(&v, part);
        let due = late_refresh_due(now, &v, u);
        let (open, close) = (v.expires.before(margin(v.lifetime) * 2), last_call(&v));
        if now.after(FLOOR) <= close {
            prop_assert!(due >= open && due <= close, "{due:?} not in {open:?} … {close:?}");
        } else {
            prop_assert_eq!(due, now.after(FLOOR));
        }
        // Seven tenths of any lifetime have passed.
        prop_assert!(due >= during(&v, 0.7));
    }

    #[test]
    fn a_repeated_token_is_refreshed_in_the_last_quarter_of_its_validity(
        v in validity(), part in 0.0f64..0.95, u in unit(),
    ) {
        let now = during(&v, part);
        let left = v.remaining(now);
        let wait = same_token_due(now, &v, u).since(now);
        if left.mul_f64(0.75) > FLOOR {
            prop_assert!(wait >= left.mul_f64(0.75) && wait <= left.mul_f64(0.85), "{wait:?} of {left:?}");
        }
    }

    #[test]
    fn d_an_overdue_refresh_is_due_at_the_floor(v in validity(), late in 0.6f64..9.0, u in unit()) {
        let now = during(&v, late);
        prop_assert_eq!(refresh_due(now, &v, u), now.after(FLOOR));
        let now = now.after(v.lifetime);
        prop_assert_eq!(late_refresh_due(now, &v, u), now.after(FLOOR));
    }

    #[test]
    fn e_no_lifetime_panics_or_overflows(v in wild(), now in boot(), n: u32, hint in hint(), u in unit()) {
        refresh_due(now, &v, u);
        retry_due(now, n, Some(&v), not_before(now, hint), u);
        late_refresh_due(now, &v, u);
        same_token_due(now, &v, u);
        last_call(&v);
        probe_due(now, RejectionCount::certain(n));
        demand_due(now, Some(v.expires));
        demand_due_in_outage(now, v.expires, v.issued, u);
        let mut budget = FailureBudget::new();
        budget.failed(v.expires);
        budget.next();
    }

    #[test]
    fn f_an_attempt_is_always_made_before_the_expiry_during_an_outage(
        v in validity(), part in 0.0f64..1.0, n in 0u32..80, hint in hint(), u in unit(),
    ) {
        let now = during(&v, part);
        let f = v.expires.before((v.lifetime / 10).min(Duration::from_secs(60)));
        if now < f {
            prop_assert!(late_refresh_due(now, &v, u) <= f.max(now.after(FLOOR)));
            let retry = retry_due(now, n, Some(&v), not_before(now, hint), u);
            prop_assert!(retry <= f.max(now.after(FLOOR)));
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
    fn g_retry_after_is_obeyed_from_1_to_300_s_and_to_1_h_when_repeated(
        now in boot(), n in 0u32..80, asked in 0u64..5_000, again: bool, u in unit(),
    ) {
        let most = if again { 3_600 } else { 300 };
        let hint = (Some(Duration::from_secs(asked)), again);
        let due = retry_due(now, n, None, not_before(now, hint), u);
        prop_assert!(due >= now.after(Duration::from_secs(asked.clamp(1, most))));
        prop_assert!(due <= now.after(Duration::from_secs(most)));
    }

    #[test]
    fn a_missing_endpoint_is_probed_after_15_min_under_the_same_invariants(
        v in validity(), a in 0.0f64..1.5, b in 0.0f64..1.5, ago in 0u64..3_600, n in 0u32..80, held: bool,
        hint in hint(), u in unit(),
    ) {
        let (early, late) = (during(&v, a.min(b)), during(&v, a.max(b)));
        let since = early.before(Duration::from_secs(ago));
        prop_assume!(early.since(since) == Duration::from_secs(ago));
        let held = held.then_some(&v);
        let due = |now| absence_due(now, since, retry_due(now, n, held, not_before(now, hint), u), held);
        prop_assert!(due(early) <= due(late), "(h)");
        let last_call = held.filter(|held| held.holds(early)).map(last_call);
        let last_call = last_call.filter(|call| early < *call);
        let retry = retry_due(early, n, held, not_before(early, hint), u);
        let most = if hint.1 { STATED_TWICE } else { Duration::from_secs(900) };
        prop_assert!(due(early) >= early.after(FLOOR) && due(early) <= early.after(most), "(a)");
        if let Some(call) = last_call {
            prop_assert!(due(early) <= call.max(early.after(FLOOR)), "(f)");
        }
        if ago < 900 {
            prop_assert_eq!(due(early), retry);
        } else if last_call.is_none() {
            prop_assert_eq!(due(early), retry.max(early.after(ABSENCE_PROBE)));
        }
    }

    #[test]
    fn a_profile_counts_as_unrequested_after_two_lifetimes(
        now in boot(), asked in boot(), lifetime in 0u64..200_000, later in 0u64..1_000_000,
    ) {
        let lifetime = Duration::from_secs(lifetime);
        let gone = is_unrequested(now, asked, lifetime);
        prop_assert_eq!(gone, asked.after(lifetime * 2) <= now.max(asked));
        prop_assert!(!gone || is_unrequested(now.after(Duration::from_secs(later)), asked, lifetime));
        prop_assert!(!is_unrequested(now, asked, Duration::MAX));
    }

    #[test]
    fn h_a_later_time_never_gives_an_earlier_due_time(
        v in validity(), a in 0.0f64..1.5, b in 0.0f64..1.5, n in 0u32..80, hint in hint(), u in unit(),
    ) {
        let (early, late) = (during(&v, a.min(b)), during(&v, a.max(b)));
        prop_assert!(refresh_due(early, &v, u) <= refresh_due(late, &v, u));
        prop_assert!(late_refresh_due(early, &v, u) <= late_refresh_due(late, &v, u));
        prop_assert!(same_token_due(early, &v, u) <= same_token_due(late, &v, u));
        for held in [Some(&v), None] {
            let retry = |now| retry_due(now, n, held, not_before(now, hint), u);
            prop_assert!(retry(early) <= retry(late));
        }
    }
}

#[test]
fn the_back_off_doubles_to_its_cap_and_is_shorter_near_the_expiry() {
    let sent = BootInstant::from_boot(Duration::from_secs(1_000));
    let v = Validity::new(sent, Some(Duration::from_secs(3_600)));
    let full = Jitter::new(1.0);
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
fn a_rejected_credential_is_retried_once_and_then_probed_less_and_less_often() {
    let now = BootInstant::from_boot(Duration::ZERO);
    let waits: Vec<u64> = (1..=8)
        .map(|n| {
            probe_due(now, RejectionCount::certain(n))
                .since(now)
                .as_secs()
        })
        .collect();
    assert_eq!(waits, [5, 60, 120, 240, 480, 900, 900, 900]);
}

/// Returns the delay after each of these rejections, and whether the circuit breaker is open. `?` stands for a doubtful
/// rejection, `!` for a certain one.
fn waits(rejections: &str) -> Vec<(u64, bool)> {
    let now = BootInstant::from_boot(Duration::ZERO);
    let mut count = RejectionCount::NONE;
    let counts = rejections.chars().map(|kind| {
        count = count.and_one(kind == '?');
        let wait = probe_due(now, count).since(now).as_secs();
        (wait, count.has_opened_breaker())
    });
    counts.collect()
}

#[test]
fn a_401_without_challenge_is_retried_at_5_15_30_and_60_s() {
    const OPEN: bool = true;
    let closed = |waits: &[u64]| waits.iter().map(|wait| (*wait, false)).collect::<Vec<_>>();
    assert_eq!(waits("????"), closed(&[5, 10, 15, 30]));
    assert_eq!(
        waits("???????")[4..],
        [(60, OPEN), (120, OPEN), (240, OPEN)]
    );
    assert_eq!(
        waits("!!!?!"),
        [
            (5, false),
            (60, OPEN),
            (120, OPEN),
            (240, OPEN),
            (480, OPEN)
        ]
    );
    // Two certain rejections are enough.
    assert_eq!(waits("?!!"), [(5, false), (10, false), (60, OPEN)]);
    assert_eq!(waits("!???"), closed(&[5, 10, 15, 30]));
    assert_eq!(waits("!????")[4..], [(60, OPEN)]);
    let certain: Vec<_> = (1..9)
        .map(RejectionCount::certain)
        .map(|count| (count.times(), count.has_opened_breaker()))
        .collect();
    let added: Vec<_> = (1..9)
        .map(|n| (0..n).fold(RejectionCount::NONE, |count, _| count.and_one(false)))
        .map(|count| (count.times(), count.has_opened_breaker()))
        .collect();
    assert_eq!(certain, added);
}

#[test]
fn requested_refreshes_are_limited_in_spacing_and_number() {
    let at = |s: f64| BootInstant::from_boot(secs(s));
    assert_eq!(refresh_budget(at(0.0), &[]), Ok(()));
    assert_eq!(refresh_budget(at(9.0), &[at(0.0)]), Err(at(10.0)));
    assert_eq!(refresh_budget(at(10.0), &[at(0.0)]), Ok(()));
    let twenty: Vec<_> = (0..20).map(|i| at(f64::from(i) * 10.0)).collect();
    assert_eq!(refresh_budget(at(300.0), &twenty), Err(at(3_600.0)));
    assert_eq!(refresh_budget(at(3_600.0), &twenty), Ok(()));
}
