//! Effects of locking the store on a profile.

use super::*;

#[test]
fn locking_drops_the_token_and_unlocking_fetches_a_new_one_immediately() {
    let mut l = holding("a", 3_600);
    assert_eq!(l.step(at(10), u(), Event::Locked), Effect::Stop);
    let view = l.view();
    assert!(view.held.is_none() && view.valid(at(10)).is_none());
    assert_eq!(view.phase(at(10)), Phase::Locked);
    assert_eq!((view.generation, view.locks), (101, 1));
    assert!(!view.ready(at(10)));
    // Neither a caller nor a requested refresh causes an attempt.
    let min_valid = Duration::ZERO;
    for event in [
        Event::Wanted { min_valid },
        Event::Reported {
            generation: 101,
            reporter: Reporter::Ours(1),
        },
    ] {
        assert_eq!(l.step(at(11), u(), event), Effect::None);
    }
    assert_eq!(
        l.step(at(20), u(), Event::CredentialChanged),
        Effect::Fetch { attempt: 2 }
    );
    let got = Event::Fetched {
        attempt: 2,
        sent: at(20),
        grant: grant("b", 3_600),
        date: None,
    };
    assert_eq!(l.step(at(21), u(), got), Effect::None);
    let view = l.view();
    assert_eq!((view.generation, view.phase(at(21))), (102, Phase::Fresh));
    assert_eq!(view.locks, 1);
}

#[test]
fn locking_the_store_cancels_the_running_attempt_and_ignores_its_token() {
    let mut l = holding("a", 3_600);
    assert_eq!(
        l.step(at(10), u(), Event::RefreshRequested),
        Effect::Fetch { attempt: 2 }
    );
    assert_eq!(l.step(at(11), u(), Event::Locked), Effect::Stop);
    let late = Event::Fetched {
        attempt: 2,
        sent: at(10),
        grant: grant("late", 3_600),
        date: None,
    };
    assert_eq!(l.step(at(12), u(), late), Effect::None);
    assert!(l.view().held.is_none());
    assert_eq!(l.view().phase(at(12)), Phase::Locked);
    // After a second lock the profile is still locked.
    assert_eq!(l.step(at(13), u(), Event::Locked), Effect::Stop);
    assert_eq!(l.view().locks, 2);
}

#[test]
fn locking_and_unlocking_keeps_the_limits_on_attempts() {
    let mut l = holding("a", 100);
    for s in 1..=3 {
        assert!(matches!(
            l.step(at(s * 90), u(), due(at(s * 90))),
            Effect::Fetch { .. }
        ));
        let limited = fault(FaultKind::RateLimited).with_retry_after(Some(Duration::from_secs(60)));
        fail_with(&mut l, at(s * 90), limited);
    }
    let before = l.view().pace;
    assert_eq!(l.step(at(271), u(), Event::Locked), Effect::Stop);
    assert_eq!(l.view().pace, before);
    let effect = l.step(at(272), u(), Event::CredentialChanged);
    assert_eq!(effect, Effect::None, "the issuer stated a wait");
}
