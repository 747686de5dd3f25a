//! Stated waits and earlier failures, against every reason for an attempt.

use proptest::prelude::*;

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);
const STRANGER: Reporter = Reporter::Other(1_001);

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// Lets the running attempt fail with this `Retry-After`.
fn refuse(l: &mut Lifecycle, now: BootInstant, retry_after: Option<u64>) {
    let fault = fault(FaultKind::RateLimited).with_retry_after(retry_after.map(secs));
    let failed = Event::Failed {
        attempt: l.attempt,
        fault,
        rejections: RejectionCount::NONE,
    };
    assert_eq!(l.step(now, u(), failed), Effect::None);
}

/// Lets the running attempt bring a token.
fn grants(l: &mut Lifecycle, now: BootInstant, text: &str, lifetime: u64) {
    let got = Event::Fetched {
        attempt: l.attempt,
        sent: now,
        grant: grant(text, lifetime),
        date: None,
    };
    assert_eq!(l.step(now, u(), got), Effect::None);
}

fn is_fetch(effect: Effect) -> bool {
    matches!(effect, Effect::Fetch { .. })
}

/// Returns every event that may cause an attempt while none runs.
fn askers(l: &Lifecycle, now: BootInstant) -> Vec<Event> {
    let generation = l.view().generation;
    let reported = |reporter| Event::Reported {
        generation,
        reporter,
    };
    vec![
        due(now),
        Event::Wanted {
            min_valid: Duration::ZERO,
        },
        Event::Wanted { min_valid: HOUR },
        Event::RefreshRequested,
        reported(Reporter::Ours(0)),
        reported(STRANGER),
        Event::Resumed {
            suspended: secs(10),
        },
        Event::Recheck,
        Event::CredentialChanged,
    ]
}

/// Sends all these events every 100 ms, and returns when the next attempt begins.
fn next_attempt(l: &mut Lifecycle, from: BootInstant, until: BootInstant) -> Option<BootInstant> {
    let mut now = from;
    while now <= until {
        for event in askers(l, now) {
            match l.step(now, u(), event) {
                Effect::None => {}
                Effect::Stop => panic!("none runs"),
                Effect::Fetch { .. } => return Some(now),
            }
        }
        now = now.after(Duration::from_millis(100));
    }
    None
}

/// Creates a profile without a token whose first attempt failed in second 0 with this `Retry-After`.
fn refused(retry_after: u64) -> Lifecycle {
    let mut l = Lifecycle::new(at(0), 0, Policy::default());
    assert!(is_fetch(l.step(at(0), u(), due(at(0)))));
    refuse(&mut l, at(0), Some(retry_after));
    l
}

#[test]
fn no_attempt_is_made_before_a_retry_after_ends() {
    for wait in [1, 2, 30, 120, 300] {
        let mut l = refused(wait);
        assert_eq!(l.held_back(at(0)), Some(at(wait)));
        let next = next_attempt(&mut l, at(0), at(1_000));
        assert_eq!(next, Some(at(wait)), "{wait}");
    }
}

#[test]
fn retries_of_a_rejected_credential_obey_retry_after() {
    // The second attempt is due after 5 s, and the probes after 1, 2, 4 … 15 min.
    for (rejections, own) in [(1, 5), (2, 60), (3, 120), (9, 900)] {
        for wait in [0, 1, 30, 300] {
            let rejected = || {
                let mut l = Lifecycle::new(at(0), 0, Policy::default());
                assert!(is_fetch(l.step(at(0), u(), due(at(0)))));
                let fault = fault(FaultKind::Rejected).with_retry_after(Some(secs(wait)));
                let failed = Event::Failed {
                    attempt: l.attempt,
                    fault,
                    rejections: RejectionCount::certain(rejections),
                };
                assert_eq!(l.step(at(0), u(), failed), Effect::None);
                l
            };
            let mut l = rejected();
            assert_eq!(l.next_wake(), Some(at(own.max(wait))));
            let next = next_attempt(&mut l, at(0), at(1_000)).unwrap();
            assert!(next >= at(wait), "{rejections} {wait}: {next:?}");
            // A new credential is sent as soon as the wait has passed, not earlier.
            let mut l = rejected();
            let effect = l.step(at(0), u(), Event::CredentialChanged);
            assert_eq!(effect, Effect::None);
            assert_eq!(l.next_wake(), Some(at(wait.max(1))));
        }
    }
    // The last attempt before the expiry is 10 s before second 95.
    let mut l = holding("a", 100);
    assert!(is_fetch(l.step(at(50), u(), due(at(50)))));
    let failed = Event::Failed {
        attempt: l.attempt,
        fault: fault(FaultKind::Rejected).with_retry_after(Some(secs(200))),
        rejections: RejectionCount::certain(1),
    };
    assert_eq!(l.step(at(50), u(), failed), Effect::None);
    assert_eq!(next_attempt(&mut l, at(50), at(400)), Some(at(85)));
}

#[test]
fn callers_do_not_shorten_a_retry_after_or_its_back_off() {
    let mut l = refused(30);
    for _ in 0..9 {
        let next = l.next_wake().unwrap();
        assert!(is_fetch(l.step(next, u(), due(next))));
        refuse(&mut l, next, Some(3));
    }
    // The back-off is half of 60 s.
    let failed = l.last_attempt.unwrap();
    let wanted = Event::Wanted {
        min_valid: Duration::ZERO,
    };
    assert_eq!(l.step(failed.after(secs(10)), u(), wanted), Effect::None);
    assert_eq!(l.next_wake(), Some(failed.after(secs(30))));
}

#[test]
fn a_retry_after_of_zero_waits_one_second() {
    let mut l = refused(0);
    assert_eq!(l.next_wake(), Some(at(1)));
    let wanted = Event::Wanted {
        min_valid: Duration::ZERO,
    };
    l.activity = Activity::Waiting { due: at(60) };
    assert_eq!(l.step(at(1), u(), wanted), Effect::None);
    assert_eq!(l.next_wake(), Some(at(2)));
}

#[test]
fn a_long_retry_after_is_probed_after_5_min_and_obeyed_when_repeated() {
    for (stated, kept) in [
        (301, 301),
        (600, 600),
        (3_600, 3_600),
        (7_200, 3_600),
        (u64::MAX, 3_600),
    ] {
        let mut l = refused(stated);
        let mut now = at(0);
        for wait in [300, kept, kept] {
            let next = next_attempt(&mut l, now, now.after(secs(4_000)));
            assert_eq!(next, Some(now.after(secs(wait))), "{stated}");
            now = next.unwrap();
            refuse(&mut l, now, Some(stated));
        }
    }
}

#[test]
fn a_long_retry_after_ends_when_its_probe_does_not_repeat_it() {
    for (again, wait) in [(None, 1), (Some(20), 20), (Some(300), 300)] {
        let mut l = refused(600);
        assert!(is_fetch(l.step(at(300), u(), due(at(300)))));
        refuse(&mut l, at(300), again);
        assert!(l.next_wake().unwrap() <= at(300 + wait), "{again:?}");
        // The next long wait is probed again.
        let next = next_attempt(&mut l, at(300), at(700)).unwrap();
        refuse(&mut l, next, Some(600));
        assert_eq!(l.next_wake(), Some(next.after(secs(300))));
    }
}

#[test]
fn only_one_last_attempt_is_made_before_the_expiry() {
    // The token is served for 95 s, and the last attempt is due 10 s before that.
    let mut l = holding("a", 100);
    assert!(is_fetch(l.step(at(50), u(), due(at(50)))));
    refuse(&mut l, at(50), Some(200));
    assert_eq!(next_attempt(&mut l, at(50), at(400)), Some(at(85)));
    // The end of that attempt states no wait, or a shorter one.
    for retry_after in [None, Some(5)] {
        let mut l = Lifecycle::new(at(0), 0, Policy::default());
        assert!(is_fetch(l.step(at(0), u(), due(at(0)))));
        grants(&mut l, at(0), "a", 100);
        assert!(is_fetch(l.step(at(50), u(), due(at(50)))));
        refuse(&mut l, at(50), Some(200));
        assert!(is_fetch(l.step(at(85), u(), due(at(85)))));
        refuse(&mut l, at(86), retry_after);
        assert_eq!(next_attempt(&mut l, at(86), at(400)), Some(at(250)));
    }
}

#[test]
fn a_last_attempt_missed_during_a_suspend_is_not_made_after_the_expiry() {
    let mut l = holding("a", 100);
    assert!(is_fetch(l.step(at(50), u(), due(at(50)))));
    refuse(&mut l, at(50), Some(200));
    assert_eq!(l.next_wake(), Some(at(85)));
    assert_eq!(l.step(at(120), u(), due(at(120))), Effect::None);
    assert_eq!(l.next_wake(), Some(at(250)));
}

#[test]
fn a_last_attempt_survives_a_suspend_and_a_new_credential() {
    let last_call = || {
        let mut l = holding("a", 100);
        assert!(is_fetch(l.step(at(50), u(), due(at(50)))));
        refuse(&mut l, at(50), Some(200));
        assert!(is_fetch(l.step(at(85), u(), due(at(85)))));
        l
    };
    let mut l = last_call();
    let suspended = secs(3);
    assert_eq!(
        l.step(at(89), u(), Event::Resumed { suspended }),
        Effect::None
    );
    assert!(l.view().attempting);
    // The token that the former credential still brings bridges the stated wait.
    let mut l = last_call();
    assert_eq!(l.step(at(89), u(), Event::CredentialChanged), Effect::None);
    assert!(l.view().attempting);
    grants(&mut l, at(89), "b", 100);
    assert!(l.view().valid(at(120)).is_some());
    // If it brings none, the new credential is sent as soon as the wait has passed.
    let mut l = last_call();
    assert_eq!(l.step(at(89), u(), Event::CredentialChanged), Effect::None);
    refuse(&mut l, at(90), None);
    assert_eq!(next_attempt(&mut l, at(90), at(400)), Some(at(250)));
}

#[test]
fn a_new_credential_cancels_an_attempt_only_if_another_may_start_immediately() {
    let mut l = Lifecycle::new(at(0), 0, Policy::default());
    let mut effect = l.step(at(0), u(), due(at(0)));
    let mut begun = 0;
    while is_fetch(effect) {
        begun += 1;
        assert!(begun < 1_000, "attempts without a limit");
        effect = l.step(at(1), u(), Event::CredentialChanged);
    }
    // The budget of failures is used up, and the last attempt goes on.
    assert_eq!(effect, Effect::None);
    assert!(l.view().attempting);
    grants(&mut l, at(2), "a", 100);
    assert!(l.view().valid(at(3)).is_some());
}

#[test]
fn a_resting_profile_obeys_retry_after() {
    for asker in 0..9 {
        let mut l = holding("a", 100);
        assert!(is_fetch(l.step(at(50), u(), due(at(50)))));
        refuse(&mut l, at(50), Some(300));
        // When the last attempt is due, no caller has asked for a token for two lifetimes.
        l.activity = Activity::Resting;
        let event = askers(&l, at(120)).remove(asker);
        assert_eq!(l.step(at(120), u(), event), Effect::None, "{asker}");
        let next = l.next_wake();
        assert!(next.is_none_or(|next| next == at(350)), "{asker}: {next:?}");
    }
}

#[test]
fn limits_on_attempts_persist_when_a_profile_restarts() {
    let l = refused(120);
    let pace = l.view().pace.for_successor(at(10), false);
    let mut l = Lifecycle::new(at(10), 0, Policy::default()).with_pace(at(10), pace);
    assert_eq!(next_attempt(&mut l, at(10), at(400)), Some(at(120)));
}

#[test]
fn callers_without_a_token_cause_attempts_every_2_s_then_every_30_s() {
    let mut l = Lifecycle::new(at(0), 0, Policy::default());
    let mut begun = vec![];
    let mut now = at(0);
    while now < at(300) {
        let wanted = Event::Wanted {
            min_valid: Duration::ZERO,
        };
        // Keep only the attempts that callers cause.
        if let Activity::Waiting { .. } = l.activity {
            l.activity = Activity::Waiting { due: at(9_999) };
        }
        if is_fetch(l.step(now, u(), wanted)) {
            begun.push(now.since(at(0)).as_secs());
            fail(&mut l, now, FaultKind::Connect);
        }
        now = now.after(Duration::from_millis(500));
    }
    let early: Vec<u64> = (0..=15).map(|n| n * 2).collect();
    assert_eq!(begun[..16], early);
    assert_eq!(begun[16..], [60, 90, 120, 150, 180, 210, 240, 270]);
}

/// An event of a test, which happens a number of milliseconds after the previous one.
#[derive(Debug, Clone, Copy)]
enum Happens {
    /// The running attempt ends.
    Ends(End),
    /// The event at this index of [`askers`].
    Asks(usize),
}

#[derive(Debug, Clone, Copy)]
enum End {
    Fails(Option<u64>),
    Grants(u64),
}

fn happens() -> impl Strategy<Value = (u64, Happens)> {
    let wait = prop_oneof![
        Just(None),
        Just(Some(0)),
        (1u64..400).prop_map(Some),
        (300u64..9_000).prop_map(Some)
    ];
    let end = prop_oneof![
        9 => wait.prop_map(End::Fails),
        1 => (1u64..4_000).prop_map(End::Grants),
    ];
    let what = prop_oneof![
        2 => end.prop_map(Happens::Ends),
        3 => (0usize..9).prop_map(Happens::Asks),
    ];
    let pause = prop_oneof![4 => 0u64..3_000, 1 => 0u64..200_000];
    (pause, what)
}

/// A call in the record.
#[derive(Debug, Clone, Copy)]
struct Call {
    begun: BootInstant,
    ended: Option<BootInstant>,
    failed: bool,
    /// The wait that was stated with its end.
    stated: Option<u64>,
    /// The token that was held when the call began, with its last known validity.
    held: Option<Validity>,
}

/// Plays these events, and returns the calls.
fn calls(story: &[(u64, Happens)]) -> Vec<Call> {
    let mut l = Lifecycle::new(at(0), 0, Policy::default());
    let mut calls: Vec<Call> = vec![];
    let (mut now, mut token) = (at(0), 0);
    let step = |l: &mut Lifecycle, calls: &mut Vec<Call>, now, event| {
        let held = l.valid(now).copied();
        let was_running = l.activity == Activity::Attempting;
        let effect = l.step(now, u(), event);
        let is_over = was_running && effect != Effect::None;
        if let Some(call) = calls.last_mut().filter(|_| is_over) {
            (call.ended, call.failed) = (Some(now), true);
        }
        if is_fetch(effect) {
            calls.push(Call {
                begun: now,
                ended: None,
                failed: false,
                stated: None,
                held,
            });
        }
    };
    for (pause, happens) in story {
        let until = now.after(Duration::from_millis(*pause));
        // Handle what becomes due in between.
        while let Some(next) = l.next_wake().filter(|next| *next <= until) {
            now = next.max(now);
            step(&mut l, &mut calls, now, due(now));
        }
        now = until;
        match happens {
            Happens::Asks(place) => {
                let event = askers(&l, now).remove(*place);
                step(&mut l, &mut calls, now, event);
            }
            Happens::Ends(_) if l.activity != Activity::Attempting => {}
            Happens::Ends(End::Fails(stated)) => {
                refuse(&mut l, now, *stated);
                let call = calls.last_mut().unwrap();
                (call.ended, call.failed, call.stated) = (Some(now), true, *stated);
            }
            Happens::Ends(End::Grants(lifetime)) => {
                token += 1;
                grants(&mut l, now, &token.to_string(), *lifetime);
                calls.last_mut().unwrap().ended = Some(now);
            }
        }
    }
    calls
}

proptest! {
    #![proptest_config(crate::testing::many_cases())]

    #[test]
    fn only_one_last_attempt_is_made_before_a_retry_after_ends(story in proptest::collection::vec(happens(), 0..200)) {
        let calls = calls(&story);
        let mut until = at(0);
        // Whether the last call that obeyed the stated wait ended with a wait of more than five minutes.
        let mut long = false;
        for (index, call) in calls.iter().enumerate() {
            let is_inside = call.begun < until;
            if is_inside {
                let held = call.held.filter(|held| held.holds(call.begun));
                prop_assert!(held.is_some(), "{call:?} undercuts {until:?}: {calls:#?}");
                let last_call = schedule::last_call(&held.unwrap());
                let before = index.checked_sub(1).map(|before| calls[before].begun);
                prop_assert!(last_call <= call.begun, "{call:?}");
                prop_assert!(before.is_none_or(|before| before < last_call), "{call:?} is the second");
            }
            let Some(ended) = call.ended else { continue };
            if !call.failed {
                (until, long) = (at(0), false);
                continue;
            }
            let stated = call.stated.filter(|wait| *wait > 0);
            if let Some(stated) = stated {
                let is_kept = stated > 300 && long && !is_inside;
                until = until.max(ended.after(secs(stated.min(if is_kept { 3_600 } else { 300 }))));
            }
            if !is_inside {
                long = stated.is_some_and(|stated| stated > 300);
            }
        }
    }
}

proptest! {
    // Each case has thousands of events.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn no_more_than_250_attempts_fail_in_an_hour(
        story in proptest::collection::vec(happens(), 0..100),
        end in prop_oneof![Just(None), Just(Some(0)), Just(Some(1))],
        pause in 0u64..700,
    ) {
        // The events, followed by an outage in which every reason for an attempt occurs all the time.
        let hammered = (0..9).flat_map(|place| [(pause, Happens::Asks(place)), (0, Happens::Ends(End::Fails(end)))]);
        let hammered: Vec<_> = hammered.collect();
        let mut story = story;
        for _ in 0..200 {
            story.extend(&hammered);
        }
        let failed: Vec<_> = calls(&story).into_iter().filter(|call| call.failed).collect();
        for calls in failed.windows(251) {
            let hour = calls[250].begun.since(calls[0].begun);
            prop_assert!(hour >= HOUR, "{hour:?}");
        }
    }
}

/// Counts the calls until an issuer gives a token, if each call within its window prolongs the window.
fn calls_until_a_token(window: u64) -> usize {
    let mut l = holding("a", 600);
    let mut opens = at(300 + window);
    let mut calls = 0;
    for now in (300..20_000).map(at) {
        for event in askers(&l, now) {
            if !is_fetch(l.step(now, u(), event)) {
                continue;
            }
            calls += 1;
            if opens <= now {
                return calls;
            }
            opens = now.after(secs(window));
            refuse(&mut l, now, Some(window));
        }
    }
    panic!("{window}: no token");
}

#[test]
fn an_issuer_that_extends_its_rate_limit_on_each_call_finally_grants_a_token() {
    for window in [30, 120, 300, 900, 3_600] {
        let calls = calls_until_a_token(window);
        assert!(calls <= 5, "{window}: {calls}");
    }
}

/// Each such token is served for a second. After that, calls are as rare as after failures, whatever callers do.
#[test]
fn tokens_without_lifetime_are_retried_with_the_back_off_of_failures() {
    for is_the_same in [true, false] {
        for has_callers in [true, false] {
            let mut l = Lifecycle::new(at(0), 100, Policy::default());
            let start = at(0);
            let (mut now, mut calls, mut served) = (start, 0, 0);
            while now < at(3_600) {
                let asked = if has_callers { now } else { start };
                let wanted = Event::Wanted {
                    min_valid: Duration::ZERO,
                };
                let is_due = l.next_wake().is_some_and(|wake| wake <= now);
                let event = if is_due { due(asked) } else { wanted };
                if (is_due || has_callers) && is_fetch(l.step(now, u(), event)) {
                    calls += 1;
                    let text = if is_the_same {
                        "a"
                    } else {
                        &format!("t{calls}")
                    };
                    grants(&mut l, now, text, 0);
                    served += u32::from(l.view().valid(now).is_some());
                    let fault = l.view().last_fault.unwrap();
                    assert!(fault.fault.detail.contains("lifetime ="), "{fault:?}");
                }
                let most = if now < at(40) { 20 } else { 180 };
                assert!(
                    calls <= most,
                    "{is_the_same} {has_callers}: {calls} by {now:?}"
                );
                now = now.after(Duration::from_millis(100));
            }
            assert!(calls > 8 && (is_the_same || served == calls));
        }
    }
}

#[test]
fn a_token_with_a_lifetime_ends_the_back_off_for_tokens_without_one() {
    let mut l = holding("a", 0);
    assert_eq!(l.view().failing, 1);
    assert_eq!(l.view().phase(at(0)), Phase::Retrying);
    let now = l.next_wake().unwrap();
    assert!(is_fetch(l.step(now, u(), due(now))));
    grants(&mut l, now, "b", 3_600);
    assert_eq!((l.view().failing, l.view().phase(now)), (0, Phase::Fresh));
    assert_eq!(l.next_wake(), Some(now.after(secs(1_800))));
}
