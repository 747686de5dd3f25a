//! A client ID and a secret in two places, which change one after the other.

use super::*;

/// Returns the ids of a credential, of half a change, of the whole change, and of a change of the secret only.
fn ids() -> [CredentialId; 4] {
    let key = RandomState::new();
    [("a", "1"), ("b", "1"), ("b", "2"), ("a", "2")]
        .map(|(id, secret)| Credential::parse(id, secret).unwrap().id(&key))
}

/// Continues a machine until its credential is accepted in second 0.
fn in_use(machine: Credentials, before: CredentialId) -> Credentials {
    let mut machine = machine;
    assert!(matches!(machine.begin(at(0), 1), Decision::Load { .. }));
    let call = machine.loaded(at(0), 1, Ok(alone(before)));
    assert!(matches!(call, Decision::Call { .. }));
    let told = machine.answered(at(0), 1, granted(at(0)));
    assert!(matches!(told, Decision::Pass(Event::Fetched { .. })));
    machine
}

#[test]
fn a_partial_credential_change_waits_and_a_complete_one_is_used_immediately() {
    let [before, half, whole, _] = ids();
    let mut machine = in_use(Credentials::default().in_two_places(true), before);
    assert!(machine.next_look().is_none());
    let wait = machine.rechecked(at(10), Some(alone(half)));
    assert!(matches!(wait, Decision::Wait));
    assert_eq!(machine.next_look(), Some(at(15)));
    assert!(machine.stored() == Some(before));
    // A recheck in between does not extend the wait.
    let wait = machine.rechecked(at(12), Some(alone(half)));
    assert!(matches!(wait, Decision::Wait));
    assert_eq!(machine.next_look(), Some(at(15)));
    let changed = machine.rechecked(at(13), Some(alone(whole)));
    assert!(matches!(changed, Decision::Pass(Event::CredentialChanged)));
    assert!(machine.next_look().is_none());
    assert!(machine.stored() == Some(whole));
}

#[test]
fn a_partial_credential_change_is_accepted_after_five_seconds() {
    let [before, half, whole, _] = ids();
    let mut machine = in_use(Credentials::default().in_two_places(true), before);
    let wait = machine.rechecked(at(10), Some(alone(half)));
    assert!(matches!(wait, Decision::Wait));
    let changed = machine.rechecked(at(15), Some(alone(half)));
    assert!(matches!(changed, Decision::Pass(Event::CredentialChanged)));
    assert!(machine.next_look().is_none());
    let changed = machine.rechecked(at(16), Some(alone(whole)));
    assert!(matches!(changed, Decision::Pass(Event::CredentialChanged)));
}

#[test]
fn only_a_new_client_id_with_the_old_secret_in_two_files_is_partial() {
    let [before, half, whole, secret] = ids();
    for (is_in_two_places, found) in [(false, half), (true, whole), (true, secret)] {
        let machine = Credentials::default().in_two_places(is_in_two_places);
        let mut machine = in_use(machine, before);
        let changed = machine.rechecked(at(10), Some(alone(found)));
        assert!(matches!(changed, Decision::Pass(Event::CredentialChanged)));
    }
}

#[test]
fn an_unreadable_store_does_not_leave_a_store_read_overdue() {
    let [before, half, ..] = ids();
    let mut machine = in_use(Credentials::default().in_two_places(true), before);
    let wait = machine.rechecked(at(10), Some(alone(half)));
    assert!(matches!(wait, Decision::Wait));
    let wait = machine.rechecked(at(12), None);
    assert!(matches!(wait, Decision::Wait));
    assert_eq!(machine.next_look(), Some(at(15)));
    let wait = machine.rechecked(at(15), None);
    assert!(matches!(wait, Decision::Wait));
    assert!(machine.next_look().is_none());
}

#[test]
fn an_attempt_does_not_send_a_partial_credential_change() {
    let [before, half, whole, _] = ids();
    // The issuer no longer knows the old secret by the time the store is read.
    let mut machine = in_use(Credentials::default().in_two_places(true), before);
    let call = machine.begin(at(10), 2);
    assert!(matches!(call, Decision::Call { .. }));
    let next = machine.answered(at(10), 2, failed(at(10), FaultKind::Rejected));
    assert!(matches!(next, Decision::Load { .. }));
    assert_eq!(rejections(&machine.loaded(at(10), 2, Ok(alone(half)))), 1);
    assert_eq!(machine.next_look(), Some(at(15)));
    // The next attempt finds the same half.
    assert!(matches!(machine.begin(at(14), 3), Decision::Load { .. }));
    let told = machine.loaded(at(14), 3, Ok(alone(half)));
    let Decision::Pass(Event::Withheld { until, .. }) = told else {
        panic!("{told:?}");
    };
    assert_eq!(until, at(15));
    assert!(matches!(machine.begin(at(15), 4), Decision::Load { .. }));
    let call = machine.loaded(at(15), 4, Ok(alone(whole)));
    assert!(matches!(call, Decision::Call { credential, .. } if credential == whole));
    assert!(machine.next_look().is_none());
}

#[test]
fn the_former_credential_is_sent_during_a_partial_credential_change() {
    let key = RandomState::new();
    let [former, before, half] = [("a", "1"), ("b", "2"), ("c", "2")]
        .map(|(id, secret)| Credential::parse(id, secret).unwrap().id(&key));
    let mut machine = in_use(Credentials::default().in_two_places(true), former);
    let changed = machine.rechecked(at(10), Some(alone(before)));
    assert!(matches!(changed, Decision::Pass(Event::CredentialChanged)));
    let call = machine.begin(at(10), 2);
    assert!(matches!(call, Decision::Call { credential, .. } if credential == before));
    let next = machine.answered(at(10), 2, failed(at(10), FaultKind::Rejected));
    assert!(matches!(next, Decision::Load { .. }));
    let call = machine.loaded(at(10), 2, Ok(alone(before)));
    assert!(matches!(call, Decision::Call { credential, .. } if credential == former));
    let told = machine.answered(at(10), 2, granted(at(10)));
    assert!(matches!(told, Decision::Pass(Event::Fetched { .. })));
    // The next refresh is due when half a change is found.
    assert!(matches!(machine.begin(at(100), 3), Decision::Load { .. }));
    let call = machine.loaded(at(100), 3, Ok(alone(half)));
    assert!(matches!(call, Decision::Call { credential, .. } if credential == former));
    assert_eq!(machine.next_look(), Some(at(105)));
}
