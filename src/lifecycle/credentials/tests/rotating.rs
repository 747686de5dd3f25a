//! The other key of a record during a rotation.

use super::*;

/// Builds a read that found credential 1 and the other key 2.
fn both() -> StoreRead {
    Ok(pair(1, 2))
}

fn pair(stored: u8, other: u8) -> StoredCredentials {
    StoredCredentials {
        credential: id(stored),
        other: Some(id(other)),
    }
}

/// Creates a machine that knows credential 2 and whose attempt is calling with credential 1, since second 0.
fn calling_of_two() -> Credentials {
    let mut machine = Credentials::default();
    assert!(matches!(machine.begin(at(0), 1), Decision::Load { .. }));
    assert_calls(&machine.loaded(at(0), 1, both()), 1, at(0));
    machine
}

/// Continues `calling_of_two`: credential 1 was rejected in second 0, and the attempt calls with credential 2.
fn first_rejected() -> Credentials {
    let mut machine = calling_of_two();
    let end = failed(at(0), FaultKind::Rejected);
    let next = machine.answered(at(0), 1, end);
    assert!(matches!(next, Decision::Load { .. }));
    assert_calls(&machine.loaded(at(0), 1, both()), 2, at(0));
    machine
}

#[track_caller]
fn assert_fetched(told: &Decision) {
    assert!(
        matches!(told, Decision::Pass(Event::Fetched { .. })),
        "{told:?}"
    );
}

#[test]
fn the_other_key_is_used_while_the_first_is_rejected_and_probed() {
    let mut machine = first_rejected();
    assert!(machine.needs(id(1)) && machine.needs(id(2)));
    assert_fetched(&machine.answered(at(1), 1, granted(at(0))));
    // The state shows that the stored credential is rejected.
    assert!(machine.rejected_successor().is_some());
    assert!(matches!(machine.begin(at(3), 2), Decision::Load { .. }));
    assert_calls(&machine.loaded(at(3), 2, both()), 2, at(3));
    assert_fetched(&machine.answered(at(3), 2, granted(at(3))));
    assert!(matches!(machine.begin(at(60), 3), Decision::Load { .. }));
    assert_calls(&machine.loaded(at(60), 3, both()), 1, at(60));
    assert_fetched(&machine.answered(at(60), 3, granted(at(60))));
    assert!(machine.rejected_successor().is_none());
    // The rotation has ended.
    let same = machine.rechecked(at(70), Some(alone(id(1))));
    assert!(matches!(same, Decision::Wait));
    assert!(machine.needs(id(1)) && !machine.needs(id(2)));
}

#[test]
fn a_rejection_counts_when_both_keys_are_rejected_and_each_has_a_probe() {
    let mut machine = first_rejected();
    let end = failed(at(0), FaultKind::Rejected);
    let next = machine.answered(at(0), 1, end);
    assert_eq!(rejections(&next), 1);
    assert!(matches!(machine.begin(at(1), 2), Decision::Load { .. }));
    let told = machine.loaded(at(1), 2, both());
    assert!(matches!(told, Decision::Pass(Event::Withheld { .. })));
    assert!(matches!(machine.begin(at(5), 3), Decision::Load { .. }));
    assert_calls(&machine.loaded(at(5), 3, both()), 1, at(5));
    let next = machine.answered(at(5), 3, failed(at(5), FaultKind::Rejected));
    assert!(matches!(next, Decision::Load { .. }));
    assert_calls(&machine.loaded(at(5), 3, both()), 2, at(5));
    let next = machine.answered(at(5), 3, failed(at(5), FaultKind::Rejected));
    assert_eq!(rejections(&next), 2);
}

#[test]
fn an_outage_during_the_call_with_the_other_key_is_not_a_rejection() {
    let mut machine = first_rejected();
    let end = failed(at(0), FaultKind::Connect);
    assert_eq!(rejections(&machine.answered(at(0), 1, end)), 0);
    assert!(matches!(machine.begin(at(1), 2), Decision::Load { .. }));
    assert_calls(&machine.loaded(at(1), 2, both()), 2, at(1));
}

#[test]
fn after_a_rejection_with_retry_after_the_other_key_is_sent_next() {
    let mut machine = calling_of_two();
    let wait = Some(Duration::from_secs(300));
    let fault = Fault::new(FaultKind::Rejected, "x").with_retry_after(wait);
    let sent = Some(at(0));
    let told = machine.answered(at(0), 1, CallEnd::Failed { sent, fault });
    assert_eq!(rejections(&told), 0, "the other key may work");
    // The probe of the first key is long overdue, and would end the attempt early once more.
    assert!(matches!(machine.begin(at(300), 2), Decision::Load { .. }));
    assert_calls(&machine.loaded(at(300), 2, both()), 2, at(300));
    assert_fetched(&machine.answered(at(300), 2, granted(at(300))));
}

#[test]
fn a_third_call_sends_the_other_key_after_two_rejections() {
    let mut machine = calling();
    assert_fetched(&machine.answered(at(0), 1, granted(at(0))));
    let changed = machine.rechecked(at(50), Some(pair(2, 3)));
    assert!(matches!(changed, Decision::Pass(Event::CredentialChanged)));
    assert_calls(&machine.begin(at(100), 2), 2, at(100));
    let next = machine.answered(at(100), 2, failed(at(100), FaultKind::Rejected));
    assert!(matches!(next, Decision::Load { .. }));
    assert_calls(&machine.loaded(at(100), 2, Ok(pair(2, 3))), 1, at(100));
    let next = machine.answered(at(100), 2, failed(at(100), FaultKind::Rejected));
    assert_calls(&next, 3, at(101));
    let next = machine.answered(at(101), 2, failed(at(101), FaultKind::Rejected));
    assert_eq!(rejections(&next), 1);
}

#[test]
fn a_second_key_stored_beside_a_rejected_one_is_tried_immediately() {
    let mut machine = rejected();
    let same = machine.rechecked(at(1), Some(alone(id(1))));
    assert!(matches!(same, Decision::Wait));
    let found = machine.rechecked(at(2), Some(pair(1, 2)));
    assert!(matches!(found, Decision::Pass(Event::CredentialChanged)));
    assert!(matches!(machine.begin(at(2), 2), Decision::Load { .. }));
    assert_calls(&machine.loaded(at(2), 2, both()), 2, at(2));
    // Another read with the same result has no effect.
    let same = machine.rechecked(at(3), Some(pair(1, 2)));
    assert!(matches!(same, Decision::Wait));
}

#[test]
fn a_second_key_with_the_same_secret_is_ignored() {
    let mut machine = rejected();
    let found = machine.rechecked(at(1), Some(pair(1, 1)));
    assert!(matches!(found, Decision::Wait));
    assert!(matches!(machine.begin(at(1), 2), Decision::Load { .. }));
    let told = machine.loaded(at(1), 2, Ok(pair(1, 1)));
    assert!(matches!(told, Decision::Pass(Event::Withheld { .. })));
}
