//! The former credential, while the issuer rejects the stored one.

use super::*;

/// Creates a machine whose credential 1 was accepted in second 0.
fn accepted() -> Credentials {
    let mut machine = calling();
    let told = machine.answered(at(0), 1, granted(at(0)));
    assert!(matches!(told, Decision::Pass(Event::Fetched { .. })));
    machine
}

/// Continues `accepted`: credential 2 replaced credential 1 and was rejected in second 100, and the store was read
/// again.
fn replaced() -> Credentials {
    let mut machine = accepted();
    let changed = machine.rechecked(at(50), Some(alone(id(2))));
    assert!(matches!(changed, Decision::Pass(Event::CredentialChanged)));
    assert_calls(&machine.begin(at(100), 2), 2, at(100));
    assert!(machine.rejected_successor().is_none());
    let end = failed(at(100), FaultKind::Rejected);
    let next = machine.answered(at(100), 2, end);
    assert!(matches!(next, Decision::Load { .. }));
    assert_calls(&machine.loaded(at(100), 2, Ok(alone(id(2)))), 1, at(100));
    machine
}

#[test]
fn a_rejected_new_credential_keeps_the_former_one_in_use_and_is_reported() {
    let mut machine = replaced();
    let says = |machine: &Credentials| machine.rejected_successor().map(|last| last.at);
    assert_eq!(says(&machine), Some(at(100)));
    let told = machine.answered(at(100), 2, granted(at(100)));
    assert!(matches!(told, Decision::Pass(Event::Fetched { .. })));
    assert_eq!(says(&machine), Some(at(100)));
    // Before the probe of the stored credential is due, only the former one is sent.
    assert!(matches!(machine.begin(at(102), 3), Decision::Load { .. }));
    assert_calls(&machine.loaded(at(102), 3, Ok(alone(id(2)))), 1, at(102));
    let told = machine.answered(at(102), 3, granted(at(102)));
    assert!(matches!(told, Decision::Pass(Event::Fetched { .. })));
    // When its probe is due, the stored credential is tried again.
    assert!(matches!(machine.begin(at(200), 4), Decision::Load { .. }));
    assert_calls(&machine.loaded(at(200), 4, Ok(alone(id(2)))), 2, at(200));
    let told = machine.answered(at(200), 4, granted(at(200)));
    assert!(matches!(told, Decision::Pass(Event::Fetched { .. })));
    assert_eq!(says(&machine), None);
    assert!(machine.needs(id(2)) && !machine.needs(id(1)));
}

#[test]
fn a_rejected_former_credential_is_forgotten() {
    let mut machine = replaced();
    assert!(machine.needs(id(1)) && machine.needs(id(2)));
    let end = failed(at(100), FaultKind::Rejected);
    assert_eq!(rejections(&machine.answered(at(100), 2, end)), 1);
    assert!(machine.rejected_successor().is_none());
    assert!(machine.needs(id(2)) && !machine.needs(id(1)));
    // Both credentials wait for their probes.
    assert!(matches!(machine.begin(at(101), 3), Decision::Load { .. }));
    let told = machine.loaded(at(101), 3, Ok(alone(id(2))));
    assert!(matches!(told, Decision::Pass(Event::Withheld { .. })));
}

#[test]
fn a_store_that_cannot_be_read_keeps_the_former_credential_in_use() {
    let unreadable = || Err(NotLoaded::Failed(Fault::new(FaultKind::Connect, "x")));
    for read in [nothing(), unreadable()] {
        let mut machine = replaced();
        let told = machine.answered(at(100), 2, granted(at(100)));
        assert!(matches!(told, Decision::Pass(Event::Fetched { .. })));
        assert!(matches!(machine.begin(at(200), 3), Decision::Load { .. }));
        assert_calls(&machine.loaded(at(200), 3, read), 1, at(200));
    }
}

#[test]
fn after_a_rejection_with_retry_after_the_former_credential_is_sent_next() {
    let mut machine = accepted();
    let changed = machine.rechecked(at(50), Some(alone(id(2))));
    assert!(matches!(changed, Decision::Pass(Event::CredentialChanged)));
    assert_calls(&machine.begin(at(100), 2), 2, at(100));
    let wait = Some(Duration::from_secs(300));
    let fault = Fault::new(FaultKind::Rejected, "x").with_retry_after(wait);
    let sent = Some(at(100));
    let told = machine.answered(at(100), 2, CallEnd::Failed { sent, fault });
    assert_eq!(rejections(&told), 1);
    // The probe of the stored credential is long overdue, and would end the attempt early once more.
    assert!(matches!(machine.begin(at(400), 3), Decision::Load { .. }));
    assert_calls(&machine.loaded(at(400), 3, Ok(alone(id(2)))), 1, at(400));
    let told = machine.answered(at(400), 3, granted(at(400)));
    assert!(matches!(told, Decision::Pass(Event::Fetched { .. })));
    assert!(matches!(machine.begin(at(600), 4), Decision::Load { .. }));
    assert_calls(&machine.loaded(at(600), 4, Ok(alone(id(2)))), 2, at(600));
}

#[test]
fn enrolling_the_same_secret_again_leaves_no_former_credential() {
    let key = RandomState::new();
    let enrolled = |address: &str| {
        let credential = Credential::parse("id", "secret").unwrap();
        credential.bound_to(address).id(&key)
    };
    let (before, after) = (enrolled("https://a"), enrolled("https://b"));
    let mut machine = Credentials::default();
    assert!(matches!(machine.begin(at(0), 1), Decision::Load { .. }));
    let call = machine.loaded(at(0), 1, Ok(alone(before)));
    assert!(matches!(call, Decision::Call { .. }));
    let told = machine.answered(at(0), 1, granted(at(0)));
    assert!(matches!(told, Decision::Pass(Event::Fetched { .. })));
    let changed = machine.rechecked(at(50), Some(alone(after)));
    assert!(matches!(changed, Decision::Pass(Event::CredentialChanged)));
    let call = machine.begin(at(100), 2);
    assert!(matches!(call, Decision::Call { credential, .. } if credential == after));
    let end = failed(at(100), FaultKind::Rejected);
    let next = machine.answered(at(100), 2, end);
    assert!(matches!(next, Decision::Load { .. }));
    assert_eq!(rejections(&machine.loaded(at(100), 2, Ok(alone(after)))), 1);
    assert!(machine.rejected_successor().is_none());
}

#[test]
fn a_requested_refresh_may_use_the_former_credential() {
    let mut machine = replaced();
    let told = machine.answered(at(100), 2, granted(at(100)));
    assert!(matches!(told, Decision::Pass(Event::Fetched { .. })));
    let asked = machine.refresh_requested();
    assert!(matches!(asked, Decision::Pass(Event::RefreshRequested)));
}

#[test]
fn restoring_the_former_credential_causes_no_attempt() {
    let mut machine = replaced();
    let put_back = machine.rechecked(at(100), Some(alone(id(1))));
    assert!(matches!(put_back, Decision::Wait), "it is carried");
    assert!(machine.rejected_successor().is_none());
    let told = machine.answered(at(101), 2, granted(at(100)));
    assert!(matches!(told, Decision::Pass(Event::Fetched { .. })));
    assert_calls(&machine.begin(at(200), 3), 1, at(200));
}
