//! Converts the notes of a rotation in place to and from the journal.

use crate::applications::Family;
use crate::profile::ProfileName;
use crate::rotation::{InPlaceNotes, KeyRef, RotationId};
use crate::store::{self, Machine, RotationJournal, RotationMode, SeenKey};

/// The only phase. The record and the second slot tell how far the rotation is.
const PHASE: &str = "regenerating";

/// Returns the journal of these notes; `None` does not occur for a valid ID and this phase.
pub(super) fn of_notes(
    notes: &InPlaceNotes,
    machine: &Machine,
    with: Option<&ProfileName>,
    family: Family,
) -> Option<RotationJournal> {
    Some(RotationJournal {
        id: store::RotationId::parse(notes.rotation.as_str())?,
        mode: RotationMode::InPlace,
        phase: store::Phase::parse(PHASE)?,
        machine: machine.clone(),
        with: with.cloned(),
        path: family.path().to_owned(),
        former: SeenKey {
            client_id: notes.key.client_id.clone(),
            key_id: notes.key.id.clone(),
            name: notes.key.name.clone(),
        },
        tried: vec![],
        made: vec![],
        grace: None,
        former_secret: Some(notes.old.clone()),
    })
}

/// Returns the notes of a journal; `None` if it has a value that this version does not know.
pub(super) fn notes(journal: &RotationJournal) -> Option<(InPlaceNotes, Family)> {
    if journal.phase.as_str() != PHASE {
        return None;
    }
    let former = &journal.former;
    let notes = InPlaceNotes {
        rotation: RotationId::parse(journal.id.as_str())?,
        key: KeyRef {
            client_id: former.client_id.clone(),
            id: former.key_id.clone(),
            name: former.name.clone(),
        },
        old: journal.former_secret.clone()?,
    };
    Some((notes, Family::of_path(&journal.path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_place_notes_are_read_from_the_journal_and_unknown_phases_are_not() {
        let before = InPlaceNotes {
            rotation: RotationId::of_bits(7),
            key: KeyRef {
                client_id: "c".to_owned(),
                id: Some("id-c".to_owned()),
                name: None,
            },
            old: "0a".repeat(32),
        };
        let machine = Machine {
            host: "h".to_owned(),
            boot: "b".to_owned(),
        };
        let family = Family::ServiceAccounts;
        let journal = || of_notes(&before, &machine, None, family).unwrap();
        assert_eq!(notes(&journal()), Some((before.clone(), family)));
        let unknown = RotationJournal {
            phase: store::Phase::parse("unknown").unwrap(),
            ..journal()
        };
        assert_eq!(notes(&unknown), None);
        let without = RotationJournal {
            former_secret: None,
            ..journal()
        };
        assert_eq!(notes(&without), None);
    }
}
