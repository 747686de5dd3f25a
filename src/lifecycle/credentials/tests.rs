use std::hash::RandomState;
use std::sync::LazyLock;

use super::*;
use crate::credential::Credential;
use crate::fault::Block;
use crate::profile::ProfileName;
use crate::token::{AccessToken, Grant};

mod former;
mod half;
mod invariants;
mod rotating;

fn at(seconds: u64) -> BootInstant {
    BootInstant::from_boot(Duration::from_secs(1_000 + seconds))
}

/// Returns the id of the credential with this number.
fn id(number: u8) -> CredentialId {
    static IDS: LazyLock<Vec<CredentialId>> = LazyLock::new(|| {
        let key = RandomState::new();
        let of = |n| Credential::parse("id", &format!("secret-{n}")).unwrap();
        (0..4).map(|n| of(n).id(&key)).collect()
    });
    IDS[usize::from(number)]
}

/// Builds a read that found this credential and no other key.
fn alone(credential: CredentialId) -> StoredCredentials {
    StoredCredentials {
        credential,
        other: None,
    }
}

fn granted(sent: BootInstant) -> CallEnd {
    CallEnd::Granted {
        sent,
        grant: Grant::of(AccessToken::parse("token").unwrap()),
        date: None,
    }
}

fn failed(sent: BootInstant, kind: FaultKind) -> CallEnd {
    CallEnd::Failed {
        sent: Some(sent),
        fault: Fault::new(kind, "x"),
    }
}

fn nothing() -> StoreRead {
    Err(NotLoaded::Blocked(Block::NotEnrolled(
        ProfileName::parse("a").unwrap(),
    )))
}

#[track_caller]
fn assert_calls(decision: &Decision, number: u8, not_before: BootInstant) {
    match decision {
        Decision::Call {
            credential,
            not_before: at,
            ..
        } if *credential == id(number) => assert_eq!(*at, not_before),
        other => panic!("no call with credential {number}: {other:?}"),
    }
}

/// Returns how often in a row the credential was rejected, as reported to the lifecycle after a failed attempt.
#[track_caller]
fn rejections(decision: &Decision) -> u32 {
    match decision {
        Decision::Pass(Event::Failed { rejections, .. }) => rejections.times(),
        other => panic!("no failure: {other:?}"),
    }
}

/// Creates a machine whose attempt is calling with credential 1, since second 0.
fn calling() -> Credentials {
    let mut machine = Credentials::default();
    assert!(matches!(machine.begin(at(0), 1), Decision::Load { .. }));
    assert_calls(&machine.loaded(at(0), 1, Ok(alone(id(1)))), 1, at(0));
    machine
}

/// Creates a machine whose credential 1 was rejected in second 0 and is still in the store.
fn rejected() -> Credentials {
    let mut machine = calling();
    let end = failed(at(0), FaultKind::Rejected);
    assert!(matches!(
        machine.answered(at(0), 1, end),
        Decision::Load { .. }
    ));
    assert_eq!(rejections(&machine.loaded(at(0), 1, Ok(alone(id(1))))), 1);
    machine
}

#[test]
fn an_accepted_credential_is_sent_again_without_reading_the_store() {
    let mut machine = calling();
    let told = machine.answered(at(1), 1, granted(at(0)));
    assert!(matches!(told, Decision::Pass(Event::Fetched { .. })));
    assert_calls(&machine.begin(at(9), 2), 1, at(9));
    let told = machine.answered(at(9), 2, failed(at(9), FaultKind::Connect));
    assert_eq!(rejections(&told), 0);
    assert_calls(&machine.begin(at(10), 3), 1, at(10));
}

#[test]
fn after_a_rejection_an_attempt_sends_one_other_stored_credential() {
    let mut machine = calling();
    let end = failed(at(0), FaultKind::Rejected);
    assert!(matches!(
        machine.answered(at(0), 1, end),
        Decision::Load { .. }
    ));
    assert_calls(&machine.loaded(at(1), 1, Ok(alone(id(2)))), 2, at(1));
    let told = machine.answered(at(1), 1, failed(at(1), FaultKind::Rejected));
    assert_eq!(rejections(&told), 1, "of the second credential");
}

#[test]
fn a_rejection_with_retry_after_ends_the_attempt() {
    for (wait, has_ended) in [
        (None, false),
        (Some(0), false),
        (Some(1), true),
        (Some(60), true),
    ] {
        let mut machine = calling();
        let wait = wait.map(Duration::from_secs);
        let fault = Fault::new(FaultKind::Rejected, "x").with_retry_after(wait);
        let sent = Some(at(0));
        let next = machine.answered(at(0), 1, CallEnd::Failed { sent, fault });
        if !has_ended {
            assert!(matches!(next, Decision::Load { .. }), "{wait:?}");
            continue;
        }
        assert_eq!(rejections(&next), 1, "{wait:?}");
        // The next attempt finds the replacement.
        assert!(matches!(machine.begin(at(60), 2), Decision::Load { .. }));
        assert_calls(&machine.loaded(at(60), 2, Ok(alone(id(2)))), 2, at(60));
    }
}

#[test]
fn an_uncancelled_attempt_sends_a_new_credential_after_a_rejection() {
    let replaced = || {
        let mut machine = calling();
        let changed = machine.rechecked(at(1), Some(alone(id(2))));
        assert!(matches!(changed, Decision::Pass(Event::CredentialChanged)));
        machine
    };
    let end = |kind, wait: Option<u64>| CallEnd::Failed {
        sent: Some(at(0)),
        fault: Fault::new(kind, "x").with_retry_after(wait.map(Duration::from_secs)),
    };
    let mut machine = replaced();
    let granted = machine.answered(at(2), 1, granted(at(0)));
    assert!(matches!(granted, Decision::Pass(Event::Fetched { .. })));
    assert_calls(&machine.begin(at(60), 2), 2, at(60));
    let mut machine = replaced();
    let next = machine.answered(at(2), 1, end(FaultKind::Rejected, None));
    assert!(matches!(next, Decision::Load { .. }));
    assert_calls(&machine.loaded(at(2), 1, Ok(alone(id(2)))), 2, at(2));
    // After a stated wait, or an outage, nothing is known against the new one.
    for end in [
        end(FaultKind::Rejected, Some(60)),
        end(FaultKind::Connect, None),
    ] {
        let mut machine = replaced();
        assert_eq!(rejections(&machine.answered(at(2), 1, end)), 0);
        assert_calls(&machine.begin(at(60), 2), 2, at(60));
    }
}

#[test]
fn a_stored_credential_that_was_rejected_is_not_sent_before_its_probe() {
    let mut machine = rejected();
    let changed = machine.rechecked(at(1), Some(alone(id(2))));
    assert!(matches!(changed, Decision::Pass(Event::CredentialChanged)));
    assert_calls(&machine.begin(at(1), 2), 2, at(1));
    let end = failed(at(1), FaultKind::Rejected);
    assert!(matches!(
        machine.answered(at(1), 2, end),
        Decision::Load { .. }
    ));
    assert_eq!(rejections(&machine.loaded(at(2), 2, Ok(alone(id(1))))), 1);
}

#[test]
fn an_attempt_that_reads_the_store_uses_the_result_of_an_earlier_read() {
    let mut machine = Credentials::default();
    assert!(matches!(machine.begin(at(0), 1), Decision::Load { .. }));
    assert_calls(&machine.rechecked(at(1), Some(alone(id(1)))), 1, at(1));
    // The attempt's own read ends later.
    assert!(matches!(
        machine.loaded(at(2), 1, Ok(alone(id(1)))),
        Decision::Wait
    ));
    let told = machine.answered(at(3), 1, granted(at(1)));
    assert!(matches!(told, Decision::Pass(Event::Fetched { .. })));
    // If the recheck fails, the attempt uses its own read.
    let mut machine = Credentials::default();
    assert!(matches!(machine.begin(at(0), 1), Decision::Load { .. }));
    assert!(matches!(machine.rechecked(at(1), None), Decision::Wait));
    assert_calls(&machine.loaded(at(2), 1, Ok(alone(id(1)))), 1, at(2));
}

#[test]
fn an_attempt_before_the_probe_reads_the_store_and_sends_nothing() {
    let mut machine = rejected();
    assert!(matches!(machine.begin(at(1), 2), Decision::Load { .. }));
    let told = machine.loaded(at(1), 2, Ok(alone(id(1))));
    let Decision::Pass(Event::Withheld {
        rejections, until, ..
    }) = told
    else {
        panic!("{told:?}");
    };
    assert_eq!((rejections.times(), until), (1, at(5)));
    assert!(matches!(machine.begin(at(5), 3), Decision::Load { .. }));
    assert_calls(&machine.loaded(at(5), 3, Ok(alone(id(1)))), 1, at(5));
}

#[test]
fn rejections_are_counted_until_the_issuer_accepts_the_credential() {
    let mut machine = rejected();
    for (second, times) in [(5, 2), (65, 3)] {
        assert!(matches!(
            machine.begin(at(second), second),
            Decision::Load { .. }
        ));
        let call = machine.loaded(at(second), second, Ok(alone(id(1))));
        assert_calls(&call, 1, at(second));
        let end = failed(at(second), FaultKind::Rejected);
        let again = machine.answered(at(second), second, end);
        assert!(matches!(again, Decision::Load { .. }));
        // A failed read does not change the rejection count.
        assert_eq!(
            rejections(&machine.loaded(at(second), second, nothing())),
            times
        );
    }
    assert!(matches!(machine.begin(at(185), 9), Decision::Load { .. }));
    assert_calls(&machine.loaded(at(185), 9, Ok(alone(id(1)))), 1, at(185));
    let told = machine.answered(at(185), 9, failed(at(185), FaultKind::Connect));
    assert_eq!(rejections(&told), 3, "an outage takes nothing back");
    assert!(matches!(machine.begin(at(186), 10), Decision::Load { .. }));
    let told = machine.loaded(at(186), 10, Ok(alone(id(1))));
    assert!(matches!(told, Decision::Pass(Event::Withheld { .. })));
    assert!(matches!(machine.begin(at(500), 11), Decision::Load { .. }));
    assert_calls(&machine.loaded(at(500), 11, Ok(alone(id(1)))), 1, at(500));
    let told = machine.answered(at(500), 11, granted(at(500)));
    assert!(matches!(told, Decision::Pass(Event::Fetched { .. })));
    assert_calls(&machine.begin(at(900), 12), 1, at(900));
    let end = failed(at(900), FaultKind::Rejected);
    assert!(matches!(
        machine.answered(at(900), 12, end),
        Decision::Load { .. }
    ));
    assert_eq!(
        rejections(&machine.loaded(at(900), 12, Ok(alone(id(1))))),
        1
    );
}

#[test]
fn an_ambiguous_rejection_is_retried_and_rereads_the_store() {
    let mut machine = calling();
    // The retries at 5, 15, 30 and 60 s, and the first probe of the circuit breaker.
    for (attempt, second, next) in [
        (1, 0, 5),
        (2, 5, 15),
        (3, 15, 30),
        (4, 30, 60),
        (5, 60, 120),
    ] {
        if attempt > 1 {
            assert!(matches!(
                machine.begin(at(second), attempt),
                Decision::Load { .. }
            ));
            assert_calls(
                &machine.loaded(at(second), attempt, Ok(alone(id(1)))),
                1,
                at(second),
            );
        }
        let fault = Fault::new(FaultKind::Rejected, "x").in_doubt();
        let sent = Some(at(second));
        let end = machine.answered(at(second), attempt, CallEnd::Failed { sent, fault });
        assert!(matches!(end, Decision::Load { .. }));
        let told = machine.loaded(at(second), attempt, Ok(alone(id(1))));
        let Decision::Pass(Event::Failed { rejections, .. }) = told else {
            panic!("{told:?}");
        };
        assert_eq!(rejections.times(), u32::try_from(attempt).unwrap());
        assert_eq!(rejections.has_opened_breaker(), attempt == 5, "{attempt}");
        // No attempt sends it earlier.
        let early = 10 * attempt;
        assert!(matches!(
            machine.begin(at(next - 1), early),
            Decision::Load { .. }
        ));
        let told = machine.loaded(at(next - 1), early, Ok(alone(id(1))));
        assert!(
            matches!(told, Decision::Pass(Event::Withheld { until, .. }) if until == at(next)),
            "{told:?}"
        );
    }
}

#[test]
fn a_changed_endpoint_blocks_the_profile_unless_another_credential_is_stored() {
    for (stored, calls) in [(1, false), (2, true)] {
        let mut machine = calling();
        let end = failed(at(0), FaultKind::BindingChanged);
        assert!(matches!(
            machine.answered(at(0), 1, end),
            Decision::Load { .. }
        ));
        let next = machine.loaded(at(0), 1, Ok(alone(id(stored))));
        if calls {
            assert_calls(&next, stored, at(0));
            continue;
        }
        let detail = "x".to_owned();
        let block = Block::BindingChanged { detail };
        let is_blocked = |next: &Decision| matches!(next, Decision::Pass(Event::Blocked { block: b, .. }) if *b == block);
        assert!(is_blocked(&next), "{next:?}");
        // The credential was not rejected, so the next read of the store may find the binding in order.
        let changed = machine.rechecked(at(1), Some(alone(id(stored))));
        assert!(matches!(changed, Decision::Pass(Event::CredentialChanged)));
    }
}

/// Checks the effect of a recheck for each combination of the previous state and the result.
#[test]
fn a_recheck_causes_an_attempt_only_where_one_may_help() {
    let blocked = || {
        let mut machine = Credentials::default();
        assert!(matches!(machine.begin(at(0), 1), Decision::Load { .. }));
        let told = machine.loaded(at(0), 1, nothing());
        assert!(matches!(told, Decision::Pass(Event::Blocked { .. })));
        machine
    };
    let in_use = || {
        let mut machine = calling();
        let told = machine.answered(at(0), 1, granted(at(0)));
        assert!(matches!(told, Decision::Pass(Event::Fetched { .. })));
        machine
    };
    let unreadable = || {
        let mut machine = in_use();
        assert_calls(&machine.begin(at(0), 2), 1, at(0));
        let end = failed(at(0), FaultKind::BindingChanged);
        assert!(matches!(
            machine.answered(at(0), 2, end),
            Decision::Load { .. }
        ));
        let told = machine.loaded(at(0), 2, Ok(alone(id(1))));
        assert!(matches!(told, Decision::Pass(Event::Blocked { .. })));
        assert!(matches!(machine.begin(at(60), 3), Decision::Load { .. }));
        let fault = Fault::new(FaultKind::Connect, "no thread");
        let told = machine.loaded(at(60), 3, Err(NotLoaded::Failed(fault)));
        assert_eq!(rejections(&told), 0);
        machine
    };
    let table: [(&str, Credentials, Option<u8>, &str); 13] = [
        ("blocked, and still is", blocked(), None, "look again"),
        ("blocked, and there is one", blocked(), Some(1), "changed"),
        ("in use, and gone", in_use(), None, "wait"),
        ("in use, and the same", in_use(), Some(1), "wait"),
        ("in use, and another", in_use(), Some(2), "changed"),
        ("carried, and gone", calling(), None, "wait"),
        ("carried, and the same", calling(), Some(1), "wait"),
        ("carried, and another", calling(), Some(2), "changed"),
        ("rejected, and gone", rejected(), None, "wait"),
        ("rejected, and the same", rejected(), Some(1), "wait"),
        ("rejected, and another", rejected(), Some(2), "changed"),
        ("unreadable, and still", unreadable(), None, "wait"),
        ("unreadable, and the same", unreadable(), Some(1), "changed"),
    ];
    for (case, mut machine, read, wanted) in table {
        let decision = match machine.rechecked(at(61), read.map(id).map(alone)) {
            Decision::Wait => "wait",
            Decision::Pass(Event::CredentialChanged) => "changed",
            Decision::Pass(Event::Recheck) => "look again",
            other => panic!("{case}: {other:?}"),
        };
        assert_eq!(decision, wanted, "{case}");
    }
}

#[test]
fn a_refresh_on_request_sends_no_rejected_credential() {
    let is_granted = |machine: &Credentials| {
        let decision = machine.refresh_requested();
        matches!(decision, Decision::Pass(Event::RefreshRequested))
    };
    assert!(is_granted(&Credentials::default()));
    assert!(is_granted(&calling()));
    let mut machine = rejected();
    assert!(matches!(machine.refresh_requested(), Decision::Recheck));
    let changed = machine.rechecked(at(1), Some(alone(id(2))));
    assert!(matches!(changed, Decision::Pass(Event::CredentialChanged)));
    assert!(is_granted(&machine));
}

#[test]
fn results_of_an_older_attempt_are_ignored() {
    let mut machine = calling();
    assert_calls(&machine.begin(at(1), 2), 1, at(1));
    for late in [
        machine.answered(at(1), 1, granted(at(0))),
        machine.loaded(at(1), 1, Ok(alone(id(2)))),
        machine.loaded(at(1), 2, Ok(alone(id(2)))),
    ] {
        assert!(matches!(late, Decision::Wait), "{late:?}");
    }
    let told = machine.answered(at(2), 2, granted(at(1)));
    assert!(matches!(told, Decision::Pass(Event::Fetched { .. })));
}
