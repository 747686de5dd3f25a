//! Reports that the resource rejects the held token.

use super::*;

fn report(l: &mut Lifecycle, now: BootInstant) -> Effect {
    let generation = l.view().generation;
    l.step(now, u(), Event::Reported { generation })
}

/// The attempt that runs brings this token at once.
fn fetch(l: &mut Lifecycle, now: BootInstant, text: &str) {
    let got = Event::Fetched {
        attempt: l.attempt,
        sent: now,
        grant: grant(text, 3_600),
        date: None,
    };
    assert_eq!(l.step(now, u(), got), Effect::None);
}

/// The attempt that is due now starts.
fn start(l: &mut Lifecycle, now: BootInstant) {
    assert_eq!(l.next_wake(), Some(now));
    assert!(matches!(l.step(now, u(), due(now)), Effect::Fetch { .. }));
}

#[test]
fn the_first_report_of_a_token_leads_to_its_refresh_and_no_other_does() {
    let mut l = holding("a", 3_600);
    assert_eq!(report(&mut l, at(10)), Effect::Fetch { attempt: 2 });
    for _ in 0..3 {
        assert_eq!(report(&mut l, at(10)), Effect::None);
    }
    assert!(l.view().reported && l.view().valid(at(10)).is_some());
    fetch(&mut l, at(11), "b");
    let stragglers = [101, 100, 0, 103, u64::MAX];
    for generation in stragglers {
        assert_eq!(
            l.step(at(11), u(), Event::Reported { generation }),
            Effect::None
        );
    }
    let view = l.view();
    assert_eq!((view.generation, view.reports), (102, 1));
    assert!(!view.reported);
    assert_eq!(view.next_attempt, Some(at(11 + 1_800)));
}

#[test]
fn a_report_of_a_token_that_came_just_now_waits_for_two_seconds_after_the_last_attempt() {
    let mut l = holding("a", 3_600);
    assert_eq!(report(&mut l, at(1)), Effect::None);
    start(&mut l, at(2));
}

#[test]
fn a_report_never_breaks_the_back_off_and_is_answered_by_its_end() {
    let mut l = holding("a", 3_600);
    assert!(matches!(report(&mut l, at(10)), Effect::Fetch { .. }));
    fail(&mut l, at(10), FaultKind::Connect);
    let due = l.next_wake().unwrap();
    assert_eq!(report(&mut l, at(10)), Effect::None);
    assert_eq!(l.next_wake(), Some(due));
    // A rejected credential is not sent again for a report either.
    let mut l = holding("a", 3_600);
    start(&mut l, at(1_800));
    fail(&mut l, at(1_800), FaultKind::Rejected);
    assert_eq!(report(&mut l, at(1_801)), Effect::None);
    assert_eq!(l.next_wake(), Some(at(1_805)));
}

#[test]
fn fresh_tokens_that_keep_being_rejected_are_replaced_ever_more_rarely() {
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
fn a_token_that_was_good_for_a_while_ends_the_row() {
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
    // A token that replaced an unreported one ends the row, too.
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
fn an_issuer_that_gives_the_same_token_again_is_asked_once_for_a_report() {
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
fn a_report_that_is_no_news_asks_for_a_token_all_the_same() {
    // The refresh that it led to has failed, and no caller asked again before the token expired.
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
