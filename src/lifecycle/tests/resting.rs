//! Profiles without requests.

use super::*;

/// Handles the next due moment, with the last request in second `asked`.
fn alone(l: &mut Lifecycle, asked: u64) -> Option<(BootInstant, Effect)> {
    let next = l.next_wake()?;
    Some((next, l.step(next, u(), due(at(asked)))))
}

/// Creates a machine that has been resting since second 2,000 with a token of 1,000 s, last requested in second 0.
fn resting() -> Lifecycle {
    let mut l = holding("a", 1_000);
    for n in 2u64..=4 {
        let (now, effect) = alone(&mut l, 0).unwrap();
        assert_eq!(
            (now, effect),
            (at(500 * (n - 1)), Effect::Fetch { attempt: n })
        );
        let got = Event::Fetched {
            attempt: n,
            sent: now,
            grant: grant(&format!("a{n}"), 1_000),
            date: None,
        };
        assert_eq!(l.step(now, u(), got), Effect::None);
    }
    assert_eq!(alone(&mut l, 0), Some((at(2_000), Effect::None)));
    l
}

const fn wanted() -> Event {
    Event::Wanted {
        min_valid: Duration::ZERO,
    }
}

#[test]
fn a_profile_rests_after_two_lifetimes_without_a_request() {
    let l = resting();
    assert_eq!(l.next_wake(), None);
    let view = l.view();
    assert!(view.resting && !view.attempting && view.next_attempt.is_none());
    assert!(
        view.valid(at(2_000)).is_some(),
        "its last token is still held"
    );
    for s in [2_000, 2_449, 2_450, 90_000] {
        assert_eq!(view.phase(at(s)), Phase::Resting, "{s}");
        assert!(view.ready(at(s)), "{s}");
    }
}

#[test]
fn a_request_wakes_a_resting_profile_with_one_attempt() {
    for s in [2_001, 2_440, 90_000] {
        for event in [wanted(), Event::RefreshRequested] {
            let mut l = resting();
            assert_eq!(l.step(at(s), u(), due(at(0))), Effect::None);
            assert_eq!(l.step(at(s), u(), event), Effect::Fetch { attempt: 5 });
            assert_eq!(l.step(at(s), u(), wanted()), Effect::None);
            assert!(!l.view().resting);
        }
    }
}

#[test]
fn a_new_credential_wakes_a_resting_profile_only_after_its_token_expired() {
    for (s, effect) in [
        (2_001, Effect::None),
        (2_440, Effect::None),
        (90_000, Effect::Fetch { attempt: 5 }),
    ] {
        let mut l = resting();
        assert_eq!(l.step(at(s), u(), due(at(0))), Effect::None);
        assert_eq!(l.step(at(s), u(), Event::CredentialChanged), effect, "{s}");
    }
}

#[test]
fn a_request_within_two_lifetimes_keeps_a_profile_awake() {
    for (asked, effect) in [(0, Effect::None), (1, Effect::Fetch { attempt: 5 })] {
        let mut l = resting();
        l.activity = Activity::Waiting { due: at(2_000) };
        assert_eq!(l.step(at(2_000), u(), due(at(asked))), effect, "{asked}");
    }
}

#[test]
fn a_profile_with_keep_warm_does_not_rest() {
    let mut l = resting();
    l.policy.keep_warm = true;
    l.activity = Activity::Waiting { due: at(2_000) };
    assert_eq!(
        l.step(at(900_000), u(), due(at(0))),
        Effect::Fetch { attempt: 5 }
    );
}

#[test]
fn a_profile_rests_during_an_outage_and_its_first_caller_causes_an_attempt() {
    let mut l = holding("a", 100);
    let mut tries = 0;
    while let Some((now, effect)) = alone(&mut l, 0) {
        if effect == Effect::None {
            assert!(now >= at(200), "{now:?}");
            break;
        }
        fail(&mut l, now, FaultKind::Connect);
        tries += 1;
    }
    assert!(tries > 5, "{tries}");
    assert_eq!(l.view().phase(at(5_000)), Phase::Resting);
    let attempt = l.attempt + 1;
    assert_eq!(l.step(at(5_000), u(), wanted()), Effect::Fetch { attempt });
    fail(&mut l, at(5_000), FaultKind::Connect);
    assert_eq!(
        l.step(at(5_000), u(), wanted()),
        Effect::None,
        "the back-off goes on"
    );
}

#[test]
fn a_resting_profile_still_shows_a_rejected_credential() {
    let mut l = holding("a", 100);
    assert!(matches!(
        l.step(at(50), u(), due(at(50))),
        Effect::Fetch { .. }
    ));
    fail(&mut l, at(50), FaultKind::Rejected);
    assert!(matches!(
        l.step(at(55), u(), due(at(55))),
        Effect::Fetch { .. }
    ));
    fail(&mut l, at(55), FaultKind::Rejected);
    assert_eq!(
        alone(&mut l, 55).unwrap().1,
        Effect::Fetch { attempt: 4 },
        "its first probe"
    );
    fail(&mut l, at(115), FaultKind::Rejected);
    assert_eq!(l.next_wake(), Some(at(235)));
    assert_eq!(l.step(at(300), u(), due(at(55))), Effect::None);
    let view = l.view();
    assert!(view.resting && view.next_attempt.is_none());
    assert_eq!(view.phase(at(300)), Phase::Rejected);
    assert!(!view.ready(at(300)));
    // The probe is overdue, so the request does not bring it forward.
    assert_eq!(l.step(at(301), u(), wanted()), Effect::Fetch { attempt: 5 });
}

#[test]
fn a_profile_without_its_first_token_does_not_rest() {
    let mut l = Lifecycle::new(at(0), 0, Policy::default());
    for _ in 0..50 {
        let (now, effect) = alone(&mut l, 0).unwrap();
        assert!(matches!(effect, Effect::Fetch { .. }), "{now:?}");
        fail(&mut l, now, FaultKind::Connect);
    }
    assert!(l.next_wake().unwrap() > at(1_000));
}
