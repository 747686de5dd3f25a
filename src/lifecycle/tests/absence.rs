//! Addresses that have no token endpoint.

use super::*;
use crate::schedule::{ABSENCE_PATIENCE, ABSENCE_PROBE};

/// Lets every attempt that is due before `until` fail with this fault. Returns when each began.
fn attempts(l: &mut Lifecycle, until: BootInstant, kind: FaultKind) -> Vec<BootInstant> {
    let mut begun = vec![];
    while let Some(next) = l.next_wake().filter(|next| *next < until) {
        assert!(matches!(l.step(next, u(), due(next)), Effect::Fetch { .. }));
        fail(l, next, kind);
        begun.push(next);
    }
    begun
}

fn new() -> Lifecycle {
    Lifecycle::new(at(0), 0, Policy::default())
}

#[test]
fn a_missing_endpoint_is_retried_with_back_off_for_15_min_then_every_5_min() {
    let end = at(0).after(ABSENCE_PATIENCE);
    let mut l = new();
    let early = attempts(&mut l, end, FaultKind::NoEndpoint);
    assert_eq!(early, attempts(&mut new(), end, FaultKind::ServerError));
    assert!(!l.view().rejected && !l.view().is_refused());
    let late = attempts(&mut l, at(7_200), FaultKind::NoEndpoint);
    assert!(late.len() > 15, "{late:?}");
    for pair in late.windows(2) {
        assert_eq!(pair[1].since(pair[0]), ABSENCE_PROBE, "{late:?}");
    }
}

#[test]
fn callers_bring_attempts_forward_only_during_the_first_15_min() {
    let mut l = new();
    let wanted = || Event::Wanted {
        min_valid: Duration::ZERO,
    };
    let mut begun = vec![];
    for second in 0..3_600 {
        let now = at(second);
        for event in [due(now), wanted()] {
            if let Effect::Fetch { .. } = l.step(now, u(), event) {
                begun.push(now);
                fail(&mut l, now, FaultKind::NoEndpoint);
            }
        }
    }
    let end = at(0).after(ABSENCE_PATIENCE);
    let early = begun.iter().filter(|begun| **begun < end).count();
    let late: Vec<_> = begun.iter().filter(|begun| **begun > end).collect();
    assert!(early > 30, "{begun:?}");
    assert!((8..=10).contains(&late.len()), "{late:?}");
    // A requested refresh is still possible.
    assert!(matches!(
        l.step(at(3_600), u(), Event::RefreshRequested),
        Effect::Fetch { .. }
    ));
}

#[test]
fn the_last_attempt_before_the_expiry_is_made_despite_a_missing_endpoint() {
    let mut l = holding("a", 3_600);
    let begun = attempts(&mut l, at(3_600), FaultKind::NoEndpoint);
    // The token is served until 30 s before its expiry, and the last attempt is a minute before that.
    assert!(begun.contains(&at(3_600 - 30 - 60)), "{begun:?}");
    let gaps = begun.windows(2).map(|pair| pair[1].since(pair[0]));
    assert!(gaps.max() <= Some(ABSENCE_PROBE), "{begun:?}");
}

#[test]
fn any_other_result_restarts_the_15_min_of_a_missing_endpoint() {
    let long = at(0).after(ABSENCE_PATIENCE);
    let probing = || {
        let mut l = new();
        attempts(&mut l, long.after(ABSENCE_PROBE), FaultKind::NoEndpoint);
        let next = l.next_wake().unwrap();
        assert!(next.since(l.last_attempt.unwrap()) == ABSENCE_PROBE);
        (l, next)
    };
    // Another fault.
    let (mut l, next) = probing();
    for kind in [FaultKind::ServerError, FaultKind::NoEndpoint] {
        let now = l.next_wake().unwrap();
        assert!(matches!(l.step(now, u(), due(now)), Effect::Fetch { .. }));
        fail(&mut l, now, kind);
        assert!(
            l.next_wake().unwrap().since(now) < ABSENCE_PROBE,
            "{kind:?}"
        );
    }
    // A suspend, after which the network may have changed.
    let (mut l, _) = probing();
    let now = l.last_attempt.unwrap().after(Duration::from_secs(100));
    let suspended = Duration::from_secs(60);
    assert_eq!(l.step(now, u(), Event::Resumed { suspended }), Effect::None);
    let soon = l.next_wake().unwrap();
    assert!(soon <= now.after(Duration::from_secs(3)), "{soon:?}");
    assert!(matches!(l.step(soon, u(), due(soon)), Effect::Fetch { .. }));
    fail(&mut l, soon, FaultKind::NoEndpoint);
    assert!(l.next_wake().unwrap().since(soon) < ABSENCE_PROBE);
    // A new token.
    let (mut l, _) = probing();
    assert!(matches!(l.step(next, u(), due(next)), Effect::Fetch { .. }));
    let got = Event::Fetched {
        attempt: l.attempt,
        sent: next,
        grant: grant("a", 100),
        date: None,
    };
    assert_eq!(l.step(next, u(), got), Effect::None);
    let now = l.next_wake().unwrap();
    assert!(matches!(l.step(now, u(), due(now)), Effect::Fetch { .. }));
    fail(&mut l, now, FaultKind::NoEndpoint);
    assert!(l.next_wake().unwrap().since(now) < ABSENCE_PROBE);
}
