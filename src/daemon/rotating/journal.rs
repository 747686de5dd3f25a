//! Converts the state machine's notes to and from the journal.

use crate::applications::Family;
use crate::profile::ProfileName;
use crate::rotation::{KeyRef, Notes, Phase, Reason, RotationId};
use crate::store::{self, Machine, RotationJournal, RotationMode, SeenKey};

/// The names of the phases in the journal.
const PHASES: [(Phase, &str); 11] = [
    (Phase::Creating, "creating"),
    (Phase::Proving, "proving"),
    (Phase::Grace, "grace"),
    (Phase::Deleting, "deleting"),
    (Phase::Undoing(Reason::NotCreated), "undoing-not-created"),
    (
        Phase::Undoing(Reason::MayNotCreate),
        "undoing-may-not-create",
    ),
    (Phase::Undoing(Reason::NotStored), "undoing-not-stored"),
    (
        Phase::Undoing(Reason::RecordChanged),
        "undoing-record-changed",
    ),
    (
        Phase::Undoing(Reason::NewKeyRejected),
        "undoing-new-key-rejected",
    ),
    (Phase::Undoing(Reason::FewerRights), "undoing-fewer-rights"),
    (Phase::Undoing(Reason::NewKeyGone), "undoing-new-key-gone"),
];

/// What the journal says in addition to the notes.
pub(super) struct JournalContext<'a> {
    pub(super) machine: &'a Machine,
    pub(super) with: Option<&'a ProfileName>,
    pub(super) family: Family,
}

/// Returns the journal of these notes; `None` does not occur for a phase that has a name.
pub(super) fn of_notes(notes: &Notes, beside: &JournalContext<'_>) -> Option<RotationJournal> {
    let (_, word) = PHASES.iter().find(|(phase, _)| *phase == notes.phase)?;
    Some(RotationJournal {
        id: store::RotationId::parse(notes.rotation.as_str())?,
        mode: RotationMode::Overlap,
        phase: store::Phase::parse(word)?,
        machine: beside.machine.clone(),
        with: beside.with.cloned(),
        path: beside.family.path().to_owned(),
        former: seen(&notes.old),
        tried: vec![notes.name.clone()],
        made: notes.new.iter().map(seen).collect(),
        grace: notes.grace.clone(),
        former_secret: None,
    })
}

/// Returns the notes of a journal; `None` if it has a value that this version does not know.
pub(super) fn notes(journal: &RotationJournal) -> Option<(Notes, Family)> {
    let mut phases = PHASES.iter();
    let (phase, _) = phases.find(|(_, word)| *word == journal.phase.as_str())?;
    let [name] = journal.tried.as_slice() else {
        return None;
    };
    let notes = Notes {
        rotation: RotationId::parse(journal.id.as_str())?,
        name: name.clone(),
        old: key(&journal.former),
        new: journal.made.last().map(key),
        phase: *phase,
        grace: journal.grace.clone(),
    };
    Some((notes, Family::of_path(&journal.path)?))
}

fn seen(key: &KeyRef) -> SeenKey {
    SeenKey {
        client_id: key.client_id.clone(),
        key_id: key.id.clone(),
        name: key.name.clone(),
    }
}

fn key(key: &SeenKey) -> KeyRef {
    KeyRef {
        client_id: key.client_id.clone(),
        id: key.key_id.clone(),
        name: key.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_every_phase_are_read_back_from_the_journal() {
        let refer = |client: &str| KeyRef {
            client_id: client.to_owned(),
            id: Some(format!("id-{client}")),
            name: None,
        };
        let machine = Machine {
            host: "h".to_owned(),
            boot: "b".to_owned(),
        };
        for (phase, word) in PHASES {
            let before = Notes {
                rotation: RotationId::of_bits(7),
                name: "jeton-a-000000000007".to_owned(),
                old: refer("old"),
                new: Some(refer("new")),
                phase,
                grace: None,
            };
            let beside = JournalContext {
                machine: &machine,
                with: None,
                family: Family::UserApplications,
            };
            let journal = of_notes(&before, &beside).expect(word);
            assert_eq!(notes(&journal), Some((before, Family::UserApplications)));
            let unknown = RotationJournal {
                phase: store::Phase::parse("unknown").unwrap(),
                ..journal
            };
            assert_eq!(notes(&unknown), None);
        }
    }
}
