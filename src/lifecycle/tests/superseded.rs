//! Tokens that the issuer gave to the same client without this profile.

use super::*;
use crate::schedule::Reissue;

fn superseded(l: &mut Lifecycle, now: BootInstant, at: BootInstant) -> Effect {
    l.step(now, u(), Event::Superseded { at })
}

/// Lets the running attempt, whose request was sent at `sent`, bring this token.
fn fetch(l: &mut Lifecycle, now: BootInstant, sent: BootInstant, text: &str) -> Effect {
    let got = Event::Fetched {
        attempt: l.attempt,
        sent,
        grant: grant(text, 3_600),
        date: None,
    };
    l.step(now, u(), got)
}

#[test]
fn a_token_older_than_one_issued_elsewhere_is_refreshed_once() {
    let mut l = holding("a", 3_600);
    let effect = superseded(&mut l, at(11), at(10));
    assert_eq!(effect, Effect::Fetch { attempt: 2 });
    for again in [at(10), at(9)] {
        assert_eq!(superseded(&mut l, at(11), again), Effect::None);
    }
    assert!(l.view().reported && l.view().valid(at(11)).is_some());
    assert_eq!(fetch(&mut l, at(12), at(11), "b"), Effect::None);
    let view = l.view();
    assert_eq!((view.generation, view.reported), (102, false));
    assert_eq!(view.reports, 0, "it is no report of a caller");
    // The held token was requested after the other one, but the news comes late.
    assert_eq!(superseded(&mut l, at(20), at(10)), Effect::None);
    assert_eq!(l.next_wake(), Some(at(11 + 1_800)));
}

#[test]
fn a_token_requested_before_and_received_after_the_newer_one_is_replaced() {
    let mut l = holding("a", 3_600);
    assert_eq!(
        l.step(at(10), u(), Event::RefreshRequested),
        Effect::Fetch { attempt: 2 }
    );
    assert_eq!(superseded(&mut l, at(11), at(11)), Effect::None);
    assert_eq!(
        fetch(&mut l, at(12), at(10), "b"),
        Effect::Fetch { attempt: 3 }
    );
    assert!(l.view().reported);
    assert_eq!(fetch(&mut l, at(13), at(12), "c"), Effect::None);
    assert!(!l.view().reported);
    assert_eq!(l.next_wake(), Some(at(12 + 1_800)));
}

#[test]
fn refreshes_are_two_seconds_apart_and_twenty_an_hour() {
    let mut l = holding("a", 3_600);
    assert_eq!(superseded(&mut l, at(1), at(1)), Effect::None);
    assert_eq!(l.next_wake(), Some(at(2)));
    let mut asked = 0;
    for s in 2..3_600 {
        let _ = superseded(&mut l, at(s), at(s));
        if let Some(next) = l.next_wake().filter(|next| *next <= at(s)) {
            let _ = l.step(next, u(), due(next));
        }
        if l.activity == Activity::Attempting {
            asked += 1;
            let _ = fetch(
                &mut l,
                at(s).after(Duration::from_millis(1)),
                at(s).after(Duration::from_millis(1)),
                &format!("t{s}"),
            );
        }
    }
    // The ordinary refreshes, in the middle of each lifetime, do not count against that budget.
    assert!((20..=22).contains(&asked), "{asked}");
    assert!(
        l.next_wake().unwrap() <= at(3_602),
        "it is put off, and not dropped"
    );
}

#[test]
fn a_newer_token_causes_no_refresh_at_an_issuer_that_repeats_its_token() {
    let policy = Policy {
        reissue: Reissue::SameUntilExpiry,
        ..Policy::default()
    };
    let mut l = holding("a", 3_600);
    let _ = l.step(at(1), u(), Event::PolicyChanged { policy });
    assert_eq!(superseded(&mut l, at(10), at(10)), Effect::None);
    assert!(!l.view().reported);
    let mut l = holding("a", 3_600);
    assert!(matches!(
        superseded(&mut l, at(10), at(10)),
        Effect::Fetch { .. }
    ));
    // The issuer gives the same token, which is therefore still valid.
    let got = Event::Fetched {
        attempt: l.attempt,
        sent: at(11),
        grant: grant("a", 3_589),
        date: None,
    };
    assert_eq!(l.step(at(11), u(), got), Effect::None);
    assert!(!l.view().reported && l.view().repeated);
    assert_eq!(superseded(&mut l, at(20), at(20)), Effect::None);
}

#[test]
fn a_superseded_token_obeys_the_back_off_and_the_circuit_breaker() {
    for kind in [FaultKind::Connect, FaultKind::Rejected] {
        let mut l = holding("a", 3_600);
        assert!(matches!(
            l.step(at(1_800), u(), due(at(1_800))),
            Effect::Fetch { .. }
        ));
        fail(&mut l, at(1_800), kind);
        let next = l.next_wake();
        assert_eq!(superseded(&mut l, at(1_800), at(1_800)), Effect::None);
        assert_eq!(l.next_wake(), next, "{kind:?}");
        assert!(l.view().reported);
    }
}

#[test]
fn a_resting_profile_replaces_a_valid_token_and_rests_again() {
    let rest = || {
        let mut l = holding("a", 1_000);
        l.activity = Activity::Resting;
        l
    };
    let long_ago = BootInstant::from_boot(Duration::ZERO);
    let mut l = rest();
    assert_eq!(
        superseded(&mut l, at(900), at(900)),
        Effect::Fetch { attempt: 2 }
    );
    let got = Event::Fetched {
        attempt: 2,
        sent: at(901),
        grant: grant("b", 1_000),
        date: None,
    };
    assert_eq!(l.step(at(901), u(), got), Effect::None);
    assert_eq!(l.step(at(1_401), u(), due(long_ago)), Effect::None);
    assert!(l.view().resting, "no caller asked since");
    // A profile whose token has expired has nothing to replace.
    let mut l = rest();
    assert_eq!(superseded(&mut l, at(970), at(970)), Effect::None);
    assert!(l.view().resting);
    // The same holds for a profile that never had a token.
    let mut l = Lifecycle::new(at(0), 0, Policy::default());
    assert_eq!(superseded(&mut l, at(0), at(0)), Effect::None);
    assert_eq!(l.next_wake(), Some(at(0)));
}

#[test]
fn a_profile_does_not_rest_while_a_superseded_token_awaits_its_refresh() {
    let mut l = holding("a", 3_600);
    assert_eq!(superseded(&mut l, at(1), at(1)), Effect::None);
    let long_ago = BootInstant::from_boot(Duration::ZERO);
    l.held = l.held.take().map(|held| {
        let mut held = Arc::into_inner(held).unwrap();
        held.validity.lifetime = Duration::from_secs(100);
        Arc::new(held)
    });
    assert!(matches!(
        l.step(at(2), u(), due(long_ago)),
        Effect::Fetch { .. }
    ));
}

#[test]
fn a_policy_change_does_not_delay_the_refresh_of_a_superseded_token() {
    let mut l = holding("a", 3_600);
    assert_eq!(superseded(&mut l, at(1), at(1)), Effect::None);
    let policy = Policy {
        reissue: Reissue::KillsOld,
        ..Policy::default()
    };
    let _ = l.step(at(1), u(), Event::PolicyChanged { policy });
    assert_eq!(l.next_wake(), Some(at(2)));
}
