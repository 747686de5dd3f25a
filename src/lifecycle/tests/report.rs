//! Reports that a resource rejected the held token.

use proptest::prelude::*;

use super::*;

const OWNER: Reporter = Reporter::Ours(1_000);

fn report(l: &mut Lifecycle, now: BootInstant) -> Effect {
    report_by(l, now, OWNER)
}

fn report_by(l: &mut Lifecycle, now: BootInstant, reporter: Reporter) -> Effect {
    let generation = l.view().generation;
    let report = Event::Reported {
        generation,
        reporter,
    };
    l.step(now, u(), report)
}

/// Lets the running attempt bring this token at once.
fn fetch(l: &mut Lifecycle, now: BootInstant, text: &str) {
    let got = Event::Fetched {
        attempt: l.attempt,
        sent: now,
        grant: grant(text, 3_600),
        date: None,
    };
    assert_eq!(l.step(now, u(), got), Effect::None);
}

/// Starts the attempt that is due now.
fn start(l: &mut Lifecycle, now: BootInstant) {
    assert_eq!(l.next_wake(), Some(now));
    assert!(matches!(l.step(now, u(), due(now)), Effect::Fetch { .. }));
}

#[test]
fn only_the_first_report_of_a_token_causes_a_refresh() {
    let mut l = holding("a", 3_600);
    assert_eq!(report(&mut l, at(10)), Effect::Fetch { attempt: 2 });
    for _ in 0..3 {
        assert_eq!(report(&mut l, at(10)), Effect::None);
    }
    assert!(l.view().reported && l.view().valid(at(10)).is_some());
    fetch(&mut l, at(11), "b");
    let stragglers = [101, 100, 0, 103, u64::MAX];
    for generation in stragglers {
        let reporter = OWNER;
        let report = Event::Reported {
            generation,
            reporter,
        };
        assert_eq!(l.step(at(11), u(), report), Effect::None);
    }
    let view = l.view();
    assert_eq!((view.generation, view.reports), (102, 1));
    assert!(!view.reported);
    assert_eq!(view.next_attempt, Some(at(11 + 1_800)));
}

#[test]
fn a_report_waits_until_two_seconds_after_the_last_attempt() {
    let mut l = holding("a", 3_600);
    assert_eq!(report(&mut l, at(1)), Effect::None);
    start(&mut l, at(2));
}

#[test]
fn a_report_obeys_the_back_off_and_gets_its_end() {
    let mut l = holding("a", 3_600);
    assert!(matches!(report(&mut l, at(10)), Effect::Fetch { .. }));
    fail(&mut l, at(10), FaultKind::Connect);
    let due = l.next_wake().unwrap();
    assert_eq!(report(&mut l, at(10)), Effect::None);
    assert_eq!(l.next_wake(), Some(due));
    // A report does not send a rejected credential again either.
    let mut l = holding("a", 3_600);
    start(&mut l, at(1_800));
    fail(&mut l, at(1_800), FaultKind::Rejected);
    assert_eq!(report(&mut l, at(1_801)), Effect::None);
    assert_eq!(l.next_wake(), Some(at(1_805)));
}

#[test]
fn repeatedly_reported_tokens_are_replaced_less_and_less_often() {
    let mut l = holding("a", 3_600);
    let mut now = at(10);
    for (number, wait) in [0, 0, 60, 120, 240, 480, 900, 900].into_iter().enumerate() {
        let issued = l.view().held.unwrap().validity.issued;
        now = now.after(Duration::from_secs(3));
        if wait > 0 {
            assert_eq!(report(&mut l, now), Effect::None, "{number}");
            let until = issued.after(Duration::from_secs(wait));
            assert_eq!(l.view().cooling(now), Some(until), "{number}");
            assert_eq!(
                report(&mut l, until.before(Duration::from_nanos(1))),
                Effect::None
            );
            now = until;
            assert_eq!(l.view().cooling(now), None);
        }
        assert!(
            matches!(report(&mut l, now), Effect::Fetch { .. }),
            "{number}"
        );
        assert_eq!(l.view().cooling(now), None);
        fetch(&mut l, now, &format!("b{number}"));
    }
    assert_eq!(l.view().reports, 8);
}

#[test]
fn a_token_accepted_for_a_while_resets_the_report_count() {
    for reported_after in [900, 5] {
        let mut l = holding("a", 3_600);
        for (n, now) in [(1, at(10)), (2, at(20))] {
            assert!(matches!(report(&mut l, now), Effect::Fetch { .. }));
            fetch(&mut l, now, &format!("b{n}"));
        }
        let now = at(20 + reported_after);
        let at_once = matches!(report(&mut l, now), Effect::Fetch { .. });
        assert_eq!(at_once, reported_after == 900);
    }
    // A token that replaced an unreported one also ends the row.
    let mut l = holding("a", 3_600);
    for (n, now) in [(1, at(10)), (2, at(20))] {
        assert!(matches!(report(&mut l, now), Effect::Fetch { .. }));
        fetch(&mut l, now, &format!("b{n}"));
    }
    start(&mut l, at(20 + 1_800));
    fetch(&mut l, at(1_820), "c");
    assert!(matches!(report(&mut l, at(1_830)), Effect::Fetch { .. }));
}

#[test]
fn a_report_causes_one_attempt_if_the_issuer_repeats_its_token() {
    let mut l = holding("a", 3_600);
    assert!(matches!(report(&mut l, at(10)), Effect::Fetch { .. }));
    fetch(&mut l, at(10), "a");
    assert!(l.view().repeated && l.view().reported);
    for now in [at(11), at(100), at(1_000)] {
        assert_eq!(report(&mut l, now), Effect::None);
    }
}

#[test]
fn a_report_wakes_a_profile_that_rests() {
    let mut l = holding("a", 3_600);
    assert_eq!(l.step(at(7_300), u(), due(at(0))), Effect::None);
    assert!(l.view().resting);
    assert!(matches!(report(&mut l, at(7_400)), Effect::Fetch { .. }));
}

#[test]
fn a_repeated_report_still_counts_as_a_token_request() {
    // The refresh that the report caused has failed, and no caller asked again before the token expired.
    let mut l = holding("a", 100);
    assert!(matches!(report(&mut l, at(10)), Effect::Fetch { .. }));
    fail(&mut l, at(11), FaultKind::Connect);
    assert_eq!(report(&mut l, at(50)), Effect::None);
    assert!(matches!(report(&mut l, at(100)), Effect::Fetch { .. }));
    fail(&mut l, at(101), FaultKind::Connect);
    assert_eq!(l.step(at(400), u(), due(at(101))), Effect::None);
    assert!(l.view().resting);
    assert!(matches!(report(&mut l, at(401)), Effect::Fetch { .. }));
}

#[test]
fn a_cool_down_applies_only_to_the_user_whose_reports_caused_it() {
    const MALLORY: Reporter = Reporter::Other(1_001);
    const ALICE: Reporter = Reporter::Other(1_002);
    let mut l = holding("a", 3_600);
    for (n, now) in [(1, at(10)), (2, at(20))] {
        assert!(matches!(
            report_by(&mut l, now, MALLORY),
            Effect::Fetch { .. }
        ));
        fetch(&mut l, now, &format!("b{n}"));
    }
    assert_eq!(report_by(&mut l, at(30), MALLORY), Effect::None);
    assert_eq!(l.cooling_of(MALLORY), Some(at(80)));
    assert_eq!(l.view().cooling_until, Some(at(80)));
    for other in [ALICE, OWNER, Reporter::Ours(0), Reporter::Other(1_003)] {
        assert_eq!(l.cooling_of(other), None, "{other:?}");
    }
    assert!(matches!(
        report_by(&mut l, at(31), ALICE),
        Effect::Fetch { .. }
    ));
    // The cooling-down reporter waits for the same refresh, and is no longer told to cool down.
    assert_eq!(report_by(&mut l, at(31), MALLORY), Effect::None);
    assert_eq!(
        (l.cooling_of(MALLORY), l.view().cooling_until),
        (None, None)
    );
    fetch(&mut l, at(31), "c");
    for (user, now) in [
        (OWNER, at(40)),
        (Reporter::Ours(0), at(50)),
        (ALICE, at(60)),
    ] {
        assert_eq!(report_by(&mut l, now, MALLORY), Effect::None);
        assert!(
            matches!(report_by(&mut l, now, user), Effect::Fetch { .. }),
            "{user:?}"
        );
        fetch(&mut l, now, &format!("by-{}", user.uid()));
    }
}

#[test]
fn a_report_that_joins_a_running_refresh_does_not_count_for_a_cool_down() {
    const JOINS: Reporter = Reporter::Other(1_002);
    let mut l = holding("a", 3_600);
    for n in 0..9 {
        // Other users cause the refreshes, one after the other.
        let now = at(10 + n * 10);
        let other = Reporter::Other(2_000 + u32::try_from(n).unwrap());
        assert!(matches!(
            report_by(&mut l, now, other),
            Effect::Fetch { .. }
        ));
        assert_eq!(report_by(&mut l, now, JOINS), Effect::None);
        assert_eq!(l.cooling_of(JOINS), None);
        fetch(&mut l, now, &format!("b{n}"));
    }
    assert!(matches!(
        report_by(&mut l, at(200), JOINS),
        Effect::Fetch { .. }
    ));
    // The same holds for a report that comes inside the back-off, or while the refresh runs for another reason.
    let mut l = holding("a", 3_600);
    for n in 0..9 {
        let now = at(10 + n * 10);
        assert!(matches!(
            l.step(now, u(), Event::RefreshRequested),
            Effect::Fetch { .. }
        ));
        assert_eq!(report_by(&mut l, now, JOINS), Effect::None);
        fail(&mut l, now, FaultKind::Connect);
        assert_eq!(report_by(&mut l, now, Reporter::Other(1_003)), Effect::None);
        let next = l.next_wake().unwrap();
        start(&mut l, next);
        fetch(&mut l, next, &format!("b{n}"));
    }
    for user in [JOINS, Reporter::Other(1_003)] {
        let now = at(300 + 3 * u64::from(user.uid()));
        assert!(matches!(report_by(&mut l, now, user), Effect::Fetch { .. }));
        fetch(&mut l, now, &format!("by-{}", user.uid()));
    }
}

#[test]
fn a_requested_refresh_does_not_reset_the_report_count_of_a_user() {
    let mut l = holding("a", 3_600);
    for (n, now) in [(1, at(10)), (2, at(20))] {
        assert!(matches!(
            report_by(&mut l, now, Reporter::Other(1_001)),
            Effect::Fetch { .. }
        ));
        fetch(&mut l, now, &format!("b{n}"));
    }
    assert!(matches!(
        l.step(at(30), u(), Event::RefreshRequested),
        Effect::Fetch { .. }
    ));
    fetch(&mut l, at(30), "c");
    assert_eq!(
        report_by(&mut l, at(40), Reporter::Other(1_001)),
        Effect::None
    );
    assert_eq!(l.cooling_of(Reporter::Other(1_001)), Some(at(90)));
    // A quarter of an hour without reports ends it.
    assert!(matches!(
        report_by(&mut l, at(90 + 900), Reporter::Other(1_001)),
        Effect::Fetch { .. }
    ));
    fetch(&mut l, at(990), "d");
    assert!(matches!(
        report_by(&mut l, at(1_000), Reporter::Other(1_001)),
        Effect::Fetch { .. }
    ));
}

#[test]
fn reports_of_other_users_cause_at_most_twenty_refreshes_an_hour_in_total() {
    let mut l = holding("a", 86_400);
    let first = 10;
    for n in 0..20 {
        let now = at(first + n * 10);
        let user = Reporter::Other(2_000 + u32::try_from(n).unwrap());
        assert!(
            matches!(report_by(&mut l, now, user), Effect::Fetch { .. }),
            "{n}"
        );
        fetch(&mut l, now, &format!("b{n}"));
    }
    let (now, hour) = (at(300), at(first + 3_600));
    let late = Reporter::Other(3_000);
    assert_eq!(report_by(&mut l, now, late), Effect::None);
    assert_eq!(l.cooling_of(late), Some(hour));
    for ours in [OWNER, Reporter::Ours(0)] {
        assert!(matches!(report_by(&mut l, now, ours), Effect::Fetch { .. }));
        fetch(&mut l, now, &format!("by-{}", ours.uid()));
        l.last_attempt = None;
    }
    assert_eq!(
        report_by(&mut l, hour.before(Duration::from_nanos(1)), late),
        Effect::None
    );
    assert!(matches!(
        report_by(&mut l, hour, late),
        Effect::Fetch { .. }
    ));
}

#[test]
fn reports_are_counted_for_64_users_and_jointly_for_all_others() {
    let mut l = holding("a", 86_400);
    let user = |n: u32| Reporter::Other(2_000 + n);
    // These users all report the same token, so only one of the reports causes a refresh.
    for n in 0..70 {
        assert_eq!(l.cooling_of(user(n)), None);
        let _ = report_by(&mut l, at(100), user(n));
    }
    assert_eq!(l.reports.rows(), 65);
    fetch(&mut l, at(100), "b");
    let _ = report_by(&mut l, at(110), user(500));
    fetch(&mut l, at(110), "c");
    // One of the users that share a row caused the replacement of the last token. Together with the token before it,
    // the row counts two.
    let _ = report_by(&mut l, at(120), user(501));
    fetch(&mut l, at(120), "d");
    assert_eq!(report_by(&mut l, at(130), user(502)), Effect::None);
    assert_eq!(l.cooling_of(user(503)), Some(at(180)));
    assert_eq!(l.cooling_of(user(3)), None);
    assert!(matches!(
        report_by(&mut l, at(131), user(3)),
        Effect::Fetch { .. }
    ));
    fetch(&mut l, at(131), "e");
    // A quarter of an hour later there is room again.
    let _ = report_by(&mut l, at(131 + 1_000), user(600));
    assert_eq!(l.reports.rows(), 1);
}

proptest! {
    #![proptest_config(crate::testing::many_cases())]

    /// One user sends reports in any pattern, and the tokens are refreshed for other reasons as well.
    #[test]
    fn a_hostile_user_never_delays_the_first_report_of_another(
        story in proptest::collection::vec((0u8..10, 0u64..60_000), 0..400), kind in 0u8..3,
    ) {
        let mallory = Reporter::Other(1_001);
        let mut l = holding("a", 3_600);
        let (mut now, mut token) = (at(10), 0);
        let mut caused: Vec<BootInstant> = vec![];
        for (what, pause) in story {
            let pause = match kind { 0 => pause % 3_000, 1 => pause, _ => pause * 20 };
            now = now.after(Duration::from_millis(pause));
            if let Some(next) = l.next_wake().filter(|next| *next <= now) {
                let _ = l.step(next.max(now), u(), due(now));
            }
            let _ = match what {
                0 => l.step(now, u(), Event::RefreshRequested),
                _ => {
                    let before = (l.activity, l.reports.answered());
                    let effect = report_by(&mut l, now, mallory);
                    if before != (l.activity, l.reports.answered()) && before.0 != Activity::Attempting {
                        caused.push(now);
                    }
                    effect
                }
            };
            if l.activity == Activity::Attempting {
                token += 1;
                fetch(&mut l, now, &token.to_string());
            }
        }
        for many in caused.windows(20) {
            prop_assert!(many[19].since(many[0]) >= Duration::from_secs(3_600), "{many:?}");
        }
        // Another user reports the token for the first time, 2 s after the last attempt.
        now = now.after(Duration::from_secs(2));
        let alice = Reporter::Other(1_002);
        let _ = report_by(&mut l, now, alice);
        prop_assert!(l.reports.answered(), "{:?}", l.cooling_of(alice));
    }
}
