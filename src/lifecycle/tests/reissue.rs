//! Issuers that do more than give a new token in addition to the old one.

use proptest::prelude::*;

use super::*;
use crate::schedule::Reissue;

/// Creates a machine with this setting that has not fetched a token yet.
fn machine(reissue: Reissue) -> Lifecycle {
    let policy = Policy {
        reissue,
        ..Policy::default()
    };
    Lifecycle::new(at(0), 100, policy)
}

/// Runs the next due attempt, which `issuer` answers at once.
fn step(l: &mut Lifecycle, issuer: impl Fn(BootInstant) -> Grant) -> BootInstant {
    let now = l.next_wake().unwrap();
    assert!(matches!(l.step(now, u(), due(now)), Effect::Fetch { .. }));
    let got = Event::Fetched {
        attempt: l.attempt,
        sent: now,
        grant: issuer(now),
        date: None,
    };
    assert_eq!(l.step(now, u(), got), Effect::None);
    now
}

/// Returns the seconds since the start.
fn second(now: BootInstant) -> f64 {
    now.since(at(0)).as_secs_f64()
}

/// Grants the same token of 3,600 s until it has expired, and states the remaining lifetime rounded down.
fn sticky(now: BootInstant) -> Grant {
    let second = now.since(at(0)).as_millis();
    let left = 3_600_000 - second % 3_600_000;
    let number = second / 3_600_000;
    grant(&format!("t{number}"), u64::try_from(left / 1_000).unwrap())
}

/// Grants a token whose lifetime is only in the token itself.
fn shown(text: &str, secs: u64) -> Grant {
    Grant {
        stated: false,
        ..grant(text, secs)
    }
}

/// Grants a token without a known lifetime.
fn silent(text: &str) -> Grant {
    Grant {
        lifetime: None,
        stated: false,
        ..grant(text, 0)
    }
}

/// Grants a JWT. `left` is the rest of its lifetime according to its own content, or its whole lifetime if the answer
/// has no date. `stated` is the lifetime in the answer.
fn jwt(text: &str, left: u64, stated: Option<u64>) -> Grant {
    let (left, stated) = (Duration::from_secs(left), stated.map(Duration::from_secs));
    Grant {
        lifetime: Some(stated.map_or(left, |stated| stated.min(left))),
        stated: stated.is_some(),
        shown: Some(left),
        ..grant(text, 0)
    }
}

#[test]
fn a_repeated_token_keeps_its_generation_and_is_replaced_without_a_gap() {
    for (reissue, most) in [
        (Reissue::Normal, 10),
        (Reissue::SameUntilExpiry, 9),
        (Reissue::KillsOld, 9),
    ] {
        let mut l = machine(reissue);
        step(&mut l, sticky);
        for generation in 101..110 {
            let mut attempts = 0;
            while l.view().generation == generation {
                let held = l.view().held.unwrap();
                let now = step(&mut l, sticky);
                attempts += 1;
                let late = second(now) - second(held.validity.expires);
                // Answers state whole seconds rounded down, and attempts are half a second apart.
                assert!(late < 1.5, "{reissue:?}: a gap of {late} s");
                let end = 3_600.0 * (generation - 100) as f64;
                let view = l.view();
                if view.generation == generation {
                    let validity = view.held.as_ref().unwrap().validity;
                    assert!(second(validity.expires) <= end, "served past its end");
                    assert_eq!(validity.lifetime, held.validity.lifetime);
                    assert!(view.repeated);
                }
            }
            assert!(!l.view().repeated, "noticed for each token anew");
            assert!(attempts <= most, "{reissue:?}: {attempts} attempts");
        }
    }
}

#[test]
fn a_repeated_token_is_extended_by_each_response_that_states_a_lifetime() {
    let mut l = machine(Reissue::Normal);
    for n in 0..100 {
        let now = step(&mut l, |_| grant("a", 3_600));
        assert_eq!(now, at(1_800 * n));
        assert_eq!((l.view().generation, l.view().repeated), (101, false));
        assert_eq!(l.view().held.unwrap().validity.issued, now);
    }
}

#[test]
fn a_repeated_token_without_lifetime_is_extended_by_each_response() {
    let mut l = machine(Reissue::Normal);
    for n in 0..100 {
        assert_eq!(step(&mut l, |_| silent("a")), at(150 * n));
        assert_eq!(l.view().generation, 101);
    }
    // Once a lifetime has been stated, an assumed one does not extend it.
    step(&mut l, |_| grant("a", 200));
    let stated = l.view().held.unwrap().validity;
    step(&mut l, |_| silent("a"));
    assert_eq!(l.view().held.unwrap().validity, stated);
}

#[test]
fn a_repeated_token_is_not_served_past_the_lifetime_it_shows() {
    let mut l = machine(Reissue::Normal);
    step(&mut l, |_| shown("a", 3_600));
    let first = l.view().held.unwrap().validity;
    let mut attempts = 0;
    while l.next_wake().unwrap() < at(7_200) {
        step(&mut l, |_| shown("a", 3_600));
        assert_eq!(l.view().held.unwrap().validity, first);
        attempts += 1;
    }
    assert_eq!(l.view().phase(at(3_570)), Phase::Expired);
    assert!(attempts < 90, "{attempts}: after its end ever more rarely");
    // The next token is accepted like any other.
    step(&mut l, |_| shown("b", 3_600));
    assert_eq!(l.view().generation, 102);
    assert_eq!(l.view().phase(at(7_300)), Phase::Fresh);
}

#[test]
fn a_jwt_is_not_served_past_its_own_expiry_whatever_lifetime_is_stated() {
    for is_dated in [true, false] {
        let mut l = machine(Reissue::Normal);
        let end = 3_600;
        while l.next_wake().unwrap() < at(2 * end) {
            step(&mut l, |now| {
                let left = if is_dated {
                    (end as f64 - second(now)).max(0.0) as u64
                } else {
                    end
                };
                jwt("a", left, Some(end))
            });
            let validity = l.view().held.unwrap().validity;
            assert!(validity.expires <= at(end), "{is_dated}: {validity:?}");
        }
        assert_eq!(l.view().generation, 101);
        assert_eq!(l.view().phase(at(end)), Phase::Expired);
        step(&mut l, |_| jwt("b", end, Some(end)));
        assert_eq!(l.view().generation, 102);
    }
}

#[test]
fn a_repeated_jwt_of_several_days_is_served_until_its_own_expiry() {
    const END: u64 = 10 * 86_400;
    for (is_dated, is_stated) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut l = machine(Reissue::Normal);
        while l.next_wake().unwrap() < at(END - 3_600) {
            let moment = step(&mut l, |now| {
                let left = if is_dated {
                    (END as f64 - second(now)).max(0.0) as u64
                } else {
                    END
                };
                jwt("a", left, is_stated.then_some(END))
            });
            let validity = l.view().held.unwrap().validity;
            let which = (is_dated, is_stated);
            assert!(validity.holds(moment), "{which:?}: {validity:?}");
            assert!(validity.expires <= at(END), "{which:?}: {validity:?}");
        }
        assert_eq!((l.view().generation, l.view().failing), (101, 0));
    }
}

#[test]
fn a_repeated_jwt_that_has_expired_counts_as_a_failed_attempt() {
    let answer = |_| jwt("a", 40, Some(40));
    let mut l = machine(Reissue::Normal);
    step(&mut l, answer);
    let (mut attempts, mut moment) = (0, at(38));
    while moment < at(3_640) {
        // Callers ask for a token all the time.
        let wanted = Event::Wanted {
            min_valid: Duration::ZERO,
        };
        let asked = l.step(moment, u(), wanted);
        let effect = match l.next_wake() {
            Some(wake) if wake <= moment => l.step(moment, u(), due(moment)),
            _ => asked,
        };
        if matches!(effect, Effect::Fetch { .. }) {
            attempts += 1;
            let got = Event::Fetched {
                attempt: l.attempt,
                sent: moment,
                grant: answer(moment),
                date: None,
            };
            assert_eq!(l.step(moment, u(), got), Effect::None);
        }
        moment = moment.after(Duration::from_millis(500));
    }
    let view = l.view();
    assert!(attempts <= 250, "{attempts} attempts in an hour");
    let fault = &view.last_fault.as_ref().unwrap().fault;
    assert_eq!(fault.kind, FaultKind::Malformed);
    assert!(fault.detail.contains("the same token again"), "{fault:?}");
    assert!(view.failing > 0);
    step(&mut l, |_| jwt("b", 40, Some(40)));
    let view = l.view();
    assert_eq!((view.generation, view.failing), (102, 0));
}

#[test]
fn a_jwt_in_its_last_second_is_accepted_only_if_it_is_already_held() {
    let mut l = machine(Reissue::Normal);
    step(&mut l, |_| jwt("a", 0, Some(3_600)));
    let view = l.view();
    assert!(view.held.is_none() && view.failing == 1, "{view:?}");
    let now = step(&mut l, |_| jwt("a", 60, Some(3_600)));
    let end = now.after(Duration::from_secs(60));
    while l.next_wake().unwrap() < end {
        step(&mut l, |now| {
            jwt("a", end.since(now).as_secs(), Some(3_600))
        });
        let view = l.view();
        assert!(view.repeated && view.failing == 0, "{view:?}");
        assert!(view.held.unwrap().validity.expires <= end);
    }
}

#[test]
fn a_jwt_with_a_shorter_stated_lifetime_is_extended_up_to_its_own_expiry() {
    let mut l = machine(Reissue::Normal);
    step(&mut l, |_| jwt("a", 3_600, Some(600)));
    for _ in 0..20 {
        let now = step(&mut l, |now| {
            let left = 3_600_u64.saturating_sub(now.since(at(0)).as_secs());
            jwt("a", left, Some(600))
        });
        let expires = l.view().held.unwrap().validity.expires;
        if now <= at(3_000) {
            assert_eq!(expires, now.after(Duration::from_secs(570)));
        }
        assert!(expires <= at(3_600));
    }
}

proptest! {
    #![proptest_config(crate::testing::many_cases())]

    /// Dates are truncated to seconds, and an answer may have none.
    #[test]
    fn no_response_extends_a_jwt_past_its_own_expiry(
        life in 2_u64..7_200,
        answers in proptest::collection::vec(
            (0_u64..2_000_000, proptest::option::of(1_u64..100_000), any::<bool>()),
            1..20,
        ),
    ) {
        let mut l = machine(Reissue::Normal);
        let end = at(life);
        let mut now = at(0);
        for (pause, stated, is_dated) in answers {
            let left = (end.since(now).as_millis() / 1_000) as u64;
            let shown = if is_dated { left } else { life };
            if is_dated && left == 0 {
                break;
            }
            let _ = l.attempt(now);
            let got = Event::Fetched {
                attempt: l.attempt,
                sent: now,
                grant: jwt("a", shown, stated),
                date: None,
            };
            prop_assert_eq!(l.step(now, u(), got), Effect::None);
            let held = l.view().held.unwrap();
            prop_assert!(held.validity.expires <= end, "{:?}", held.validity);
            now = now.after(Duration::from_millis(pause));
        }
    }
}

#[test]
fn a_new_token_with_a_shorter_lifetime_is_served_for_that_lifetime() {
    for reissue in [Reissue::Normal, Reissue::SameUntilExpiry, Reissue::KillsOld] {
        let mut l = machine(reissue);
        step(&mut l, |_| grant("long", 3_600));
        let now = step(&mut l, |_| grant("short", 60));
        let view = l.view();
        let held = view.held.unwrap();
        assert_eq!((view.generation, held.token.expose()), (102, "short"));
        assert_eq!(held.validity.expires, now.after(Duration::from_secs(57)));
        let due = l.next_wake().unwrap().since(now).as_secs();
        let expected = if reissue == Reissue::Normal { 30 } else { 48 };
        assert_eq!(due, expected, "{reissue:?}");
    }
}

#[test]
fn alternating_tokens_of_an_issuer_count_as_new_ones() {
    let mut l = machine(Reissue::Normal);
    for n in 0..100 {
        let token = if n % 2 == 0 { "a" } else { "b" };
        assert_eq!(step(&mut l, |_| grant(token, 3_600)), at(1_800 * n));
        let view = l.view();
        assert_eq!((view.generation, view.repeated), (101 + n, false));
    }
}

#[test]
fn a_token_that_revokes_the_old_one_is_refreshed_late_but_before_the_expiry() {
    for secs in [2, 10, 100, 600, 3_600, 86_400] {
        for jitter in [0.0, 0.5, 1.0] {
            let mut l = machine(Reissue::KillsOld);
            for n in 0..50 {
                let now = l.next_wake().unwrap();
                if let Some(held) = l.view().held {
                    let Validity {
                        lifetime, expires, ..
                    } = held.validity;
                    let margin = (lifetime / 10).min(Duration::from_secs(60));
                    assert!(now >= expires.before(margin * 2), "{secs}: early");
                    assert!(now <= expires.before(margin), "{secs}: a gap");
                    // No request brings the attempt forward.
                    let wanted = Event::Wanted {
                        min_valid: Duration::MAX,
                    };
                    let before = now.before(Duration::from_millis(1));
                    assert_eq!(l.step(before, u(), wanted), Effect::None);
                    assert_eq!(l.next_wake(), Some(now));
                }
                assert!(matches!(l.step(now, u(), due(now)), Effect::Fetch { .. }));
                let got = Event::Fetched {
                    attempt: l.attempt,
                    sent: now,
                    grant: grant(&format!("t{n}"), secs),
                    date: None,
                };
                assert_eq!(l.step(now, Jitter::new(jitter), got), Effect::None);
            }
        }
    }
}

#[test]
fn a_caller_causes_no_attempt_that_would_return_the_same_token() {
    let wanted = || Event::Wanted {
        min_valid: Duration::from_secs(1_800),
    };
    let mut l = machine(Reissue::Normal);
    step(&mut l, sticky);
    let now = step(&mut l, sticky);
    let next = l.next_wake();
    assert!(l.view().repeated && next > Some(at(3_000)));
    for s in [1, 100, 1_000] {
        let later = now.after(Duration::from_secs(s));
        assert_eq!(l.step(later, u(), wanted()), Effect::None);
        assert_eq!(l.next_wake(), next);
    }
    // Without a valid token, an attempt is useful.
    assert!(matches!(
        l.step(at(3_700), u(), wanted()),
        Effect::Fetch { .. }
    ));
}
