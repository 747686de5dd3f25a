use super::*;
use crate::fault::{Block, Fault, FaultKind};
use crate::profile::ProfileName;
use crate::token::{AccessToken, Grant};

mod absence;
mod locked;
mod pace;
mod reissue;
mod report;
mod resting;
mod superseded;

const HALF: f64 = 0.5;

fn at(s: u64) -> BootInstant {
    BootInstant::from_boot(Duration::from_secs(1_000 + s))
}

/// Builds a due event at a moment at which a caller asks.
const fn due(asked: BootInstant) -> Event {
    Event::Due { asked }
}

fn u() -> Jitter {
    Jitter::new(HALF)
}

fn grant(text: &str, secs: u64) -> Grant {
    Grant {
        lifetime: Some(Duration::from_secs(secs)),
        stated: true,
        ..Grant::of(AccessToken::parse(text).unwrap())
    }
}

fn not_enrolled() -> Block {
    Block::NotEnrolled(ProfileName::parse("a").unwrap())
}

fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, "x")
}

/// Creates a machine that fetched the token `text` with this lifetime in second 0.
fn holding(text: &str, secs: u64) -> Lifecycle {
    let mut l = Lifecycle::new(at(0), 100, Policy::default());
    assert_eq!(l.step(at(0), u(), due(at(0))), Effect::Fetch { attempt: 1 });
    let got = Event::Fetched {
        attempt: 1,
        sent: at(0),
        grant: grant(text, secs),
        date: None,
    };
    assert_eq!(l.step(at(0), u(), got), Effect::None);
    l
}

fn fail(l: &mut Lifecycle, now: BootInstant, kind: FaultKind) {
    fail_with(l, now, fault(kind));
}

fn fail_with(l: &mut Lifecycle, now: BootInstant, fault: Fault) {
    let attempt = l.attempt;
    let rejections = match fault.kind {
        FaultKind::Rejected => l.rejections.and_one(fault.is_doubtful),
        _ => l.rejections,
    };
    assert_eq!(
        l.step(
            now,
            u(),
            Event::Failed {
                attempt,
                fault,
                rejections,
            }
        ),
        Effect::None
    );
}

#[test]
fn a_token_is_refreshed_at_half_its_lifetime_and_gets_a_new_generation() {
    let mut l = holding("a", 3_600);
    assert_eq!(l.view().generation, 101);
    assert_eq!(l.view().phase(at(0)), Phase::Fresh);
    assert_eq!(l.next_wake(), Some(at(1_800)));
    assert_eq!(l.step(at(1_799), u(), due(at(1_799))), Effect::None);
    assert_eq!(
        l.step(at(1_800), u(), due(at(1_800))),
        Effect::Fetch { attempt: 2 }
    );
    let got = Event::Fetched {
        attempt: 2,
        sent: at(1_800),
        grant: grant("b", 3_600),
        date: None,
    };
    assert_eq!(l.step(at(1_801), u(), got), Effect::None);
    let view = l.view();
    assert_eq!((view.generation, view.refreshes), (102, 2));
    assert_eq!(view.held.unwrap().token.expose(), "b");
}

#[test]
fn a_failed_refresh_keeps_the_token_and_is_retried_beyond_the_expiry() {
    let mut l = holding("a", 100);
    let mut tries = 0;
    while let Some(next) = l.next_wake().filter(|next| *next < at(400)) {
        assert!(matches!(l.step(next, u(), due(next)), Effect::Fetch { .. }));
        fail(&mut l, next, FaultKind::Connect);
        tries += 1;
        let valid = l.view().valid(next).is_some();
        assert_eq!(valid, next < at(95), "{next:?}");
        let phase = l.view().phase(next);
        assert_eq!(
            phase,
            if valid {
                Phase::Retrying
            } else {
                Phase::Expired
            }
        );
    }
    assert!(tries > 8, "{tries}");
    let attempt = l.attempt + 1;
    assert_eq!(
        l.step(at(500), u(), due(at(500))),
        Effect::Fetch { attempt }
    );
    let got = Event::Fetched {
        attempt,
        sent: at(500),
        grant: grant("b", 100),
        date: None,
    };
    assert_eq!(l.step(at(500), u(), got), Effect::None);
    assert_eq!(l.view().phase(at(500)), Phase::Fresh);
}

#[test]
fn the_result_of_an_attempt_with_a_replaced_credential_is_ignored() {
    let mut l = holding("a", 100);
    assert_eq!(
        l.step(at(50), u(), due(at(50))),
        Effect::Fetch { attempt: 2 }
    );
    assert_eq!(
        l.step(at(51), u(), Event::CredentialChanged),
        Effect::Fetch { attempt: 3 }
    );
    for late in [
        Event::Fetched {
            attempt: 2,
            sent: at(50),
            grant: grant("of-the-old", 100),
            date: None,
        },
        Event::Failed {
            attempt: 2,
            fault: fault(FaultKind::Rejected),
            rejections: RejectionCount::certain(1),
        },
        Event::Blocked {
            attempt: 2,
            block: not_enrolled(),
        },
    ] {
        assert_eq!(l.step(at(52), u(), late), Effect::None);
        assert!(l.view().attempting);
        assert_eq!(l.view().held.unwrap().token.expose(), "a");
    }
    let got = Event::Fetched {
        attempt: 3,
        sent: at(51),
        grant: grant("of-the-new", 100),
        date: None,
    };
    assert_eq!(l.step(at(53), u(), got), Effect::None);
    assert_eq!(l.view().held.unwrap().token.expose(), "of-the-new");
}

#[test]
fn a_new_credential_causes_an_immediate_attempt_only_without_a_valid_token() {
    let mut l = holding("a", 100);
    let wake = l.next_wake();
    assert_eq!(l.step(at(10), u(), Event::CredentialChanged), Effect::None);
    assert_eq!(l.next_wake(), wake, "the next attempt stays as it was");
    // After a failure, a new credential may help.
    assert!(matches!(
        l.step(at(50), u(), due(at(50))),
        Effect::Fetch { .. }
    ));
    fail(&mut l, at(50), FaultKind::Connect);
    assert!(matches!(
        l.step(at(60), u(), Event::CredentialChanged),
        Effect::Fetch { .. }
    ));
    let mut l = holding("a", 100);
    assert!(matches!(
        l.step(at(2_000), u(), Event::CredentialChanged),
        Effect::Fetch { .. }
    ));
}

#[test]
fn a_second_rejection_opens_the_breaker_but_keeps_the_valid_token() {
    let mut l = holding("a", 3_600);
    assert!(matches!(
        l.step(at(1_800), u(), due(at(1_800))),
        Effect::Fetch { .. }
    ));
    fail(&mut l, at(1_800), FaultKind::Rejected);
    assert_eq!(l.next_wake(), Some(at(1_805)));
    assert_eq!(l.view().phase(at(1_800)), Phase::Retrying);
    assert!(matches!(
        l.step(at(1_805), u(), due(at(1_805))),
        Effect::Fetch { .. }
    ));
    fail(&mut l, at(1_805), FaultKind::Rejected);
    assert_eq!(l.view().phase(at(1_805)), Phase::Rejected);
    assert!(l.view().valid(at(1_805)).is_some());
    assert_eq!(l.next_wake(), Some(at(1_865)));
    let wanted = Event::Wanted {
        min_valid: Duration::from_secs(1_800),
    };
    assert_eq!(l.step(at(1_820), u(), wanted), Effect::None);
    assert_eq!(
        l.step(
            at(9_000),
            u(),
            Event::Wanted {
                min_valid: Duration::ZERO
            }
        ),
        Effect::None
    );
    assert!(matches!(
        l.step(at(9_001), u(), Event::CredentialChanged),
        Effect::Fetch { .. }
    ));
    assert!(!l.view().rejected);
}

#[test]
fn a_401_without_challenge_is_retried_for_a_minute_before_the_breaker_opens() {
    let mut l = Lifecycle::new(at(0), 0, Policy::default());
    for (second, next) in [(0, 5), (5, 15), (15, 30), (30, 60), (60, 120), (120, 240)] {
        assert!(matches!(
            l.step(at(second), u(), due(at(second))),
            Effect::Fetch { .. }
        ));
        fail_with(&mut l, at(second), fault(FaultKind::Rejected).in_doubt());
        assert_eq!(l.next_wake(), Some(at(next)));
        // No caller brings the retry forward.
        let wanted = Event::Wanted {
            min_valid: Duration::ZERO,
        };
        assert_eq!(l.step(at(next - 1), u(), wanted), Effect::None);
        let is_open = second >= 60;
        let view = l.view();
        assert_eq!((view.rejected, view.is_refused()), (is_open, is_open));
        let phase = if is_open {
            Phase::Rejected
        } else {
            Phase::Retrying
        };
        assert_eq!(view.phase(at(second)), phase);
    }
}

#[test]
fn a_network_fault_neither_closes_the_breaker_nor_advances_its_probes() {
    let mut l = Lifecycle::new(at(0), 0, Policy::default());
    for s in [0, 5] {
        assert!(matches!(
            l.step(at(s), u(), due(at(s))),
            Effect::Fetch { .. }
        ));
        fail(&mut l, at(s), FaultKind::Rejected);
    }
    assert!(matches!(
        l.step(at(65), u(), due(at(65))),
        Effect::Fetch { .. }
    ));
    fail(&mut l, at(65), FaultKind::Timeout);
    assert!(l.view().rejected);
    assert_eq!(l.next_wake(), Some(at(125)));
}

#[test]
fn a_token_that_expired_in_transit_does_not_replace_a_valid_one() {
    let mut l = holding("a", 3_600);
    assert!(matches!(
        l.step(at(2_000), u(), due(at(2_000))),
        Effect::Fetch { .. }
    ));
    let late = Event::Fetched {
        attempt: l.attempt,
        sent: at(2_000),
        grant: grant("b", 1),
        date: None,
    };
    assert_eq!(l.step(at(2_001), u(), late), Effect::None);
    let view = l.view();
    assert_eq!(view.valid(at(2_001)).unwrap().token.expose(), "a");
    assert_eq!((view.failing, view.phase(at(2_001))), (1, Phase::Retrying));
    assert_eq!(view.last_fault.unwrap().fault.kind, FaultKind::Timeout);
}

#[test]
fn an_outage_after_one_rejection_gets_the_usual_back_off() {
    let mut l = Lifecycle::new(at(0), 0, Policy::default());
    let mut now = at(0);
    let mut waits = vec![];
    for kind in [FaultKind::Rejected]
        .into_iter()
        .chain([FaultKind::Connect; 10])
    {
        assert!(matches!(l.step(now, u(), due(now)), Effect::Fetch { .. }));
        fail(&mut l, now, kind);
        let next = l.next_wake().unwrap();
        waits.push(next.since(now).as_secs());
        now = next;
    }
    // Half of 0.5 s, doubled each time, but at least the delay of the quick retry.
    assert_eq!(waits, [5, 5, 5, 5, 5, 8, 16, 30, 30, 30, 30]);
}

#[test]
fn a_caller_does_not_bring_forward_the_retry_of_a_rejected_credential() {
    let mut l = Lifecycle::new(at(0), 0, Policy::default());
    let wanted = || Event::Wanted {
        min_valid: Duration::ZERO,
    };
    assert_eq!(l.step(at(0), u(), wanted()), Effect::Fetch { attempt: 1 });
    fail(&mut l, at(0), FaultKind::Rejected);
    assert_eq!(l.step(at(4), u(), wanted()), Effect::None);
    assert_eq!(l.next_wake(), Some(at(5)));
    assert_eq!(l.step(at(5), u(), due(at(5))), Effect::Fetch { attempt: 2 });
}

#[test]
fn callers_share_one_attempt_and_cause_at_most_one_in_two_seconds() {
    let mut l = Lifecycle::new(at(0), 0, Policy::default());
    let wanted = || Event::Wanted {
        min_valid: Duration::ZERO,
    };
    assert_eq!(l.step(at(0), u(), wanted()), Effect::Fetch { attempt: 1 });
    assert_eq!(l.step(at(0), u(), wanted()), Effect::None);
    fail(&mut l, at(0), FaultKind::Connect);
    for _ in 0..7 {
        l.failing += 1;
    }
    let attempt = l.attempt + 1;
    l.activity = Activity::Waiting { due: at(60) };
    assert_eq!(l.step(at(1), u(), wanted()), Effect::None);
    assert_eq!(
        l.next_wake(),
        Some(at(2)),
        "pulled in to two seconds after the last"
    );
    assert_eq!(l.step(at(2), u(), wanted()), Effect::Fetch { attempt });
}

#[test]
fn a_caller_causes_an_early_refresh_but_not_during_the_back_off() {
    let mut l = holding("a", 3_600);
    let wanted = || Event::Wanted {
        min_valid: Duration::from_secs(7_200),
    };
    assert_eq!(
        l.step(at(10), u(), wanted()),
        Effect::None,
        "half the lifetime is left"
    );
    assert_eq!(
        l.step(at(1_790), u(), wanted()),
        Effect::Fetch { attempt: 2 }
    );
    fail(&mut l, at(1_790), FaultKind::ServerError);
    assert_eq!(l.step(at(1_799), u(), wanted()), Effect::None);
}

#[test]
fn a_blocked_profile_reports_the_block_and_retries_after_a_minute() {
    let mut l = Lifecycle::new(at(0), 0, Policy::default());
    assert!(matches!(
        l.step(at(0), u(), due(at(0))),
        Effect::Fetch { .. }
    ));
    let blocked = Event::Blocked {
        attempt: 1,
        block: not_enrolled(),
    };
    assert_eq!(l.step(at(0), u(), blocked), Effect::None);
    assert_eq!(l.view().phase(at(0)), Phase::Misconfigured);
    assert_eq!(
        l.step(
            at(1),
            u(),
            Event::Wanted {
                min_valid: Duration::ZERO
            }
        ),
        Effect::None
    );
    assert_eq!(l.next_wake(), Some(at(60)));
    assert_eq!(l.view().failures, 0);
}

#[test]
fn a_withheld_attempt_waits_for_the_probe_and_is_not_a_failure() {
    let mut l = holding("a", 3_600);
    for (rejections, phase) in [(1, Phase::Fresh), (2, Phase::Rejected)] {
        let Effect::Fetch { attempt } = l.step(at(1_800), u(), Event::RefreshRequested) else {
            panic!("no attempt");
        };
        let withheld = Event::Withheld {
            attempt,
            rejections: RejectionCount::certain(rejections),
            until: at(1_860),
        };
        assert_eq!(l.step(at(1_800), u(), withheld), Effect::None);
        let view = l.view();
        assert_eq!((view.failures, view.next_attempt), (0, Some(at(1_860))));
        assert_eq!(view.phase(at(1_800)), phase);
        let wanted = Event::Wanted {
            min_valid: Duration::from_secs(1_800),
        };
        assert_eq!(l.step(at(1_810), u(), wanted), Effect::None);
    }
}

#[test]
fn generations_stay_below_2_to_the_53() {
    let mut l = Lifecycle::new(at(0), u64::MAX, Policy::default());
    assert!(matches!(
        l.step(at(0), u(), due(at(0))),
        Effect::Fetch { .. }
    ));
    let got = Event::Fetched {
        attempt: 1,
        sent: at(0),
        grant: grant("a", 10),
        date: None,
    };
    assert_eq!(l.step(at(0), u(), got), Effect::None);
    assert!(l.view().generation < 1 << 53);
}
