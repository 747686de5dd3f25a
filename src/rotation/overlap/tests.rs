//! Runs that the search does not cover: changes by another person at the server, and rare ends.

use std::time::Duration;

use super::*;
use crate::instant::UnixTime;
use crate::rotation::event::{CallRefusal, ListedKey, Listing, WriteOutcome};

const NOW: BootInstant = BootInstant::from_boot(Duration::from_secs(1_000));

fn key(name: &str) -> KeyRef {
    KeyRef {
        client_id: format!("client-{name}"),
        id: Some(format!("id-{name}")),
        name: Some(name.into()),
    }
}

fn list(names: &[&str]) -> Event {
    let keys = names.iter().map(|name| ListedKey {
        id: format!("id-{name}"),
        name: (*name).to_owned(),
        client_id: format!("client-{name}"),
        is_users: true,
        last_login: Some(UnixTime::from_epoch(Duration::from_secs(12_345))),
    });
    Event::Listed(Listing {
        keys: keys.collect(),
        date: None,
    })
}

fn begin(is_shared: bool) -> Overlap {
    let wanted = RotationRequest {
        client_id: "client-old".into(),
        name: "new".into(),
        sharers: vec![],
        in_use: BTreeSet::new(),
        max_keys: 20,
    };
    let terms = Terms {
        lifetime: Some(Duration::ZERO),
        longest_lifetime: Duration::ZERO,
        grace: Duration::ZERO,
        is_shared,
    };
    let clock = GraceMoment {
        boot_id: String::new(),
        at: NOW,
        date: None,
    };
    Overlap::new(RotationId::of_bits(1), wanted, terms, clock)
}

fn record(current: &str, previous: Option<&str>) -> Event {
    Event::Record(crate::rotation::record::RecordView {
        rotation: previous.map(|_| RotationId::of_bits(1)),
        current: key(current),
        next: None,
        previous: previous.map(key),
    })
}

fn steps(machine: &mut Overlap, events: Vec<Event>) {
    for event in events {
        let before = machine.clone();
        machine.step(machine.clock.at, event.clone());
        assert_ne!(*machine, before, "{event:?} changes nothing");
    }
}

/// Returns a rotation whose new key was just put in force.
fn switched(is_shared: bool) -> Overlap {
    let mut machine = begin(is_shared);
    let events = vec![
        list(&["old"]),
        Event::Noted,
        Event::Created(key("new")),
        Event::Stored(WriteOutcome::Done),
        Event::Noted,
        Event::Proved {
            rights: Rights::Unknown,
            date: None,
        },
        Event::Stored(WriteOutcome::Done),
        Event::Noted,
    ];
    steps(&mut machine, events);
    machine.step(NOW.after(Duration::from_secs(60)), Event::Lost);
    machine
}

fn end(machine: &Overlap) -> End {
    match machine.command() {
        Command::End(end) => end,
        other => panic!("not over: {other:?}"),
    }
}

#[test]
fn the_old_key_is_restored_if_the_new_one_was_deleted() {
    let mut machine = switched(false);
    // A single list may lag behind.
    let events = vec![
        Event::Woken,
        list(&["old"]),
        Event::Woken,
        list(&["old"]),
        Event::Noted,
        record("new", Some("old")),
    ];
    steps(&mut machine, events);
    let restore = Change::Restore(RotationId::of_bits(1), key("old"));
    assert_eq!(machine.command(), Command::Store(restore));
    let events = vec![
        Event::Stored(WriteOutcome::Done),
        record("old", None),
        list(&["old"]),
        Event::Noted,
    ];
    steps(&mut machine, events);
    let reason = Reason::NewKeyGone;
    assert_eq!(
        end(&machine),
        End::Undone {
            reason,
            left: vec![]
        }
    );
}

#[test]
fn a_key_list_that_lags_behind_does_not_undo_the_rotation() {
    let mut machine = switched(false);
    steps(&mut machine, vec![Event::Woken, list(&["old"])]);
    let Command::Pause(pause) = machine.command() else {
        panic!("it looks again");
    };
    assert!(pause.until >= machine.clock.at.after(Duration::from_secs(60)));
    steps(&mut machine, vec![Event::Woken, list(&["old", "new"])]);
    assert_eq!(machine.notes().phase, Phase::Grace);
    // This list does not count as the first of two without the new key.
    steps(&mut machine, vec![Event::Noted]);
    assert!(!machine.is_new_missed);
}

#[test]
fn the_grace_period_starts_when_it_is_written_to_the_journal() {
    let mut machine = switched(false);
    let noted = |machine: &Overlap| machine.notes().grace.clone().map(|grace| grace.switched.at);
    let before = noted(&machine);
    machine.state = State::Noting;
    machine.step(machine.clock.at, Event::NotNoted);
    let later = machine.clock.at.after(Duration::from_secs(300));
    machine.step(later, Event::Woken);
    assert_eq!(machine.state, State::Noting);
    assert_eq!(noted(&machine), Some(later));
    assert_ne!(before, Some(later));
}

#[test]
fn a_rotation_needs_a_person_if_the_server_has_neither_key() {
    let mut machine = switched(false);
    let looks = [Event::Woken, list(&["other"])];
    steps(&mut machine, looks.to_vec());
    assert!(matches!(machine.command(), Command::Pause(_)));
    steps(&mut machine, looks.to_vec());
    assert_eq!(end(&machine), End::NeedsHuman);
}

#[test]
fn an_old_key_that_may_not_be_deleted_is_named() {
    let mut machine = switched(false);
    let events = vec![
        Event::Woken,
        list(&["old", "new"]),
        Event::Noted,
        Event::Noted,
        record("new", Some("old")),
        Event::Refused(CallRefusal::Forbidden),
        record("new", Some("old")),
        list(&["old", "new"]),
        Event::Stored(WriteOutcome::Done),
        Event::Noted,
    ];
    steps(&mut machine, events);
    let left = vec!["old".to_owned()];
    let is_old_kept = false;
    assert_eq!(end(&machine), End::Rotated { is_old_kept, left });
}

#[test]
fn a_missing_old_key_is_not_a_leftover_after_a_refused_deletion() {
    let mut machine = switched(false);
    let events = vec![
        Event::Woken,
        list(&["old", "new"]),
        Event::Noted,
        Event::Noted,
        record("new", Some("old")),
        Event::Refused(CallRefusal::Forbidden),
        record("new", Some("old")),
        list(&["new"]),
        Event::Stored(WriteOutcome::Done),
        Event::Noted,
    ];
    steps(&mut machine, events);
    let left = vec![];
    let is_old_kept = false;
    assert_eq!(end(&machine), End::Rotated { is_old_kept, left });
}

#[test]
fn a_rotation_that_may_not_create_keys_ends_with_that_reason() {
    let mut machine = begin(false);
    let events = vec![
        list(&["old"]),
        Event::Noted,
        Event::Refused(CallRefusal::Forbidden),
        Event::Noted,
        record("old", None),
    ];
    steps(&mut machine, events);
    machine.step(NOW.after(Duration::from_secs(60)), Event::Woken);
    let events = vec![record("old", None), list(&["old"]), Event::Noted];
    steps(&mut machine, events);
    let (reason, left) = (Reason::MayNotCreate, vec![]);
    assert_eq!(end(&machine), End::Undone { reason, left });
}

/// Returns the state after these answers to the last check of the list, when the old key was deleted right after the
/// switch.
fn after_the_deletion(answers: Vec<Event>) -> &'static str {
    let mut machine = begin(false);
    let before = vec![list(&["old"]), Event::Noted];
    let after = vec![
        Event::Stored(WriteOutcome::Done),
        Event::Noted,
        Event::Proved {
            rights: Rights::Unknown,
            date: None,
        },
        Event::Stored(WriteOutcome::Done),
        Event::Noted,
        list(&["old", "new"]),
        Event::Noted,
        Event::Noted,
        record("new", Some("old")),
        Event::Deleted,
    ];
    steps(
        &mut machine,
        before.into_iter().chain(answers).chain(after).collect(),
    );
    machine.state().kind()
}

#[test]
fn a_rotation_waits_for_late_calls_only_after_a_lost_response() {
    let created = || Event::Created(key("new"));
    assert_eq!(after_the_deletion(vec![created()]), "Guarding");
    let lost = vec![Event::Lost, Event::Woken, list(&["old"]), created()];
    assert_eq!(after_the_deletion(lost), "Lasting");
}

#[test]
fn an_unwritable_journal_refuses_the_rotation_before_a_key_is_created() {
    let mut machine = begin(false);
    steps(&mut machine, vec![list(&["old"]), Event::NotNoted]);
    assert_eq!(machine.command(), Command::RemoveNotes);
    steps(&mut machine, vec![Event::Noted]);
    assert_eq!(end(&machine), End::Refused(StartRefusal::NoJournal));
}

#[test]
fn an_old_key_shared_with_another_machine_is_not_deleted() {
    let mut machine = switched(true);
    let events = vec![
        record("new", Some("old")),
        list(&["old", "new"]),
        Event::Stored(WriteOutcome::Done),
        Event::Noted,
    ];
    steps(&mut machine, events);
    let is_old_kept = true;
    let left = vec![];
    assert_eq!(end(&machine), End::Rotated { is_old_kept, left });
}
