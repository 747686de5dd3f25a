use std::sync::{Arc, Mutex};
use std::time::Duration;

use url::Url;

use super::*;
use crate::age_file::Identity;
use crate::config::StoreKind;
use crate::credential::{Ca, Credential};
use crate::instant::UnixTime;
use crate::store::{
    Binding, BoundTarget, FileStore, Key, KeyringFault, Revision, Store, StoreReading, Stores,
    lock::Locks,
};

fn name() -> ProfileName {
    ProfileName::parse("a").unwrap()
}

fn key(id: &str) -> Key {
    Key {
        credential: Credential::parse(id, "canary").unwrap(),
        key_id: Some(format!("id-{id}")),
        key_name: Some(format!("name-{id}")),
        created_at: UnixTime::from_epoch(Duration::from_secs(5)),
        server_date: None,
    }
}

fn record(id: &str) -> Record {
    Record {
        key: key(id),
        binding: Binding {
            bound: BoundTarget::Endpoint {
                provider: "runai".into(),
                endpoint: Url::parse("https://a.b/x").unwrap(),
            },
            issuer: None,
            ca: Ca::System,
            proxy: None,
        },
        rotation: None,
    }
}

struct TestStore {
    dir: tempfile::TempDir,
    owner: u32,
}

impl TestStore {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            owner: rustix::process::geteuid().as_raw(),
        }
    }

    fn lock(&self) -> ProfileLock {
        let locks = Locks::new(self.dir.path(), self.owner);
        locks.take(&name()).unwrap()
    }

    /// Two stores of files: one plain, one encrypted and unlocked.
    fn stores(&self) -> [Arc<dyn Store>; 2] {
        let stores = Stores::new(self.dir.path(), self.owner);
        let identity = Identity::generate();
        stores.keys().encrypt_to(Some(identity.recipient()));
        stores.keys().unlock(identity).unwrap();
        [
            stores.store(&StoreKind::File),
            stores.store(&StoreKind::EncryptedFile),
        ]
    }
}

fn save(store: &dyn Store, lock: &ProfileLock, record: &Record) {
    let seen = store.look(&name()).revision;
    store.replace(lock, &seen, record).unwrap();
}

/// A step of a record: the expected rotation, the change, and the resulting key in use and other key.
type Step<'a> = (
    Option<&'a RotationId>,
    fn(Record) -> Option<Record>,
    &'a str,
    &'a str,
);

#[test]
fn every_file_store_supports_each_step_of_a_rotation() {
    let place = TestStore::new();
    let lock = place.lock();
    let id = RotationId::of(1);
    for store in place.stores() {
        save(&*store, &lock, &record("old"));
        let steps: [Step<'_>; 3] = [
            (
                None,
                |record| record.rotating(RotationId::of(1), Some(key("new"))),
                "old",
                "new",
            ),
            (Some(&id), Record::switched, "new", "old"),
            (Some(&id), |record| Some(record.settled()), "new", ""),
        ];
        for (expected, step, current, other) in steps {
            let written = replace_if(&*store, &lock, expected, step);
            assert!(matches!(written, ReplaceOutcome::Done(_)), "{written:?}");
            let stored = store.load(&name()).unwrap().unwrap();
            assert_eq!(stored.key.credential.client_id, current);
            let beside = stored.other_key().map(|key| &*key.credential.client_id);
            assert_eq!(beside.unwrap_or_default(), other);
            // A repetition of the step finds another state.
            let again = replace_if(&*store, &lock, expected, step);
            assert!(matches!(again, ReplaceOutcome::Conflict), "{again:?}");
        }
    }
}

#[test]
fn a_record_of_another_or_no_rotation_is_not_replaced() {
    let place = TestStore::new();
    let lock = place.lock();
    let [store, _] = place.stores();
    let (ours, other) = (RotationId::of(1), RotationId::of(2));
    let never = |_: Record| -> Option<Record> { panic!("nothing is to be changed") };
    let absent = replace_if(&*store, &lock, None, never);
    assert!(matches!(absent, ReplaceOutcome::Conflict), "{absent:?}");
    save(&*store, &lock, &record("old"));
    let settled = replace_if(&*store, &lock, Some(&ours), never);
    assert!(matches!(settled, ReplaceOutcome::Conflict), "{settled:?}");
    let rotating = record("old").rotating(other.clone(), None).unwrap();
    save(&*store, &lock, &rotating);
    for expected in [None, Some(&ours)] {
        let written = replace_if(&*store, &lock, expected, never);
        assert!(matches!(written, ReplaceOutcome::Conflict), "{written:?}");
    }
    let stored = store.load(&name()).unwrap().unwrap();
    assert_eq!(stored.rotation_id(), Some(&other));
}

#[test]
fn a_record_enrolled_between_read_and_write_is_not_replaced() {
    let place = TestStore::new();
    let lock = place.lock();
    let [store, _] = place.stores();
    save(&*store, &lock, &record("old"));
    let written = replace_if(&*store, &lock, None, |found| {
        // Simulates a program on another machine, which has a lock of its own.
        save(&*store, &lock, &record("enrolled"));
        found.rotating(RotationId::of(1), None)
    });
    assert!(matches!(written, ReplaceOutcome::Conflict), "{written:?}");
    let stored = store.load(&name()).unwrap().unwrap();
    assert_eq!(stored.key.credential.client_id, "enrolled");
}

/// A store whose next write ends with this error; with `true` the write happens nevertheless.
struct Faulty {
    store: FileStore,
    fails: Mutex<Option<(StoreErrorKind, bool)>>,
}

impl StoreReader for Faulty {
    fn look(&self, profile: &ProfileName) -> StoreReading {
        self.store.look(profile)
    }
}

impl StoreWriter for Faulty {
    fn replace(
        &self,
        lock: &ProfileLock,
        expected: &Revision,
        record: &Record,
    ) -> Result<Revision, StoreError> {
        let Some((kind, is_done)) = self.fails.lock().unwrap().take() else {
            return self.store.replace(lock, expected, record);
        };
        if is_done {
            self.store.replace(lock, expected, record)?;
        }
        let changed = !matches!(kind, StoreErrorKind::Full);
        Err(StoreError {
            place: "here".into(),
            kind,
            changed,
        })
    }

    fn remove(&self, lock: &ProfileLock, expected: &Revision) -> Result<bool, StoreError> {
        self.store.remove(lock, expected)
    }
}

#[test]
fn a_failed_write_and_an_uncertain_one_are_distinguished_by_reading_back() {
    let place = TestStore::new();
    let lock = place.lock();
    let faulty = Faulty {
        store: FileStore::new(place.dir.path(), place.owner),
        fails: Mutex::default(),
    };
    let seen = faulty.look(&name()).revision;
    faulty.replace(&lock, &seen, &record("old")).unwrap();
    let begin = |found: Record| found.rotating(RotationId::of(1), Some(key("new")));
    let fail = |kind, is_done| {
        *faulty.fails.lock().unwrap() = Some((kind, is_done));
        replace_if(&faulty, &lock, None, begin)
    };
    let full = fail(StoreErrorKind::Full, false);
    assert!(matches!(full, ReplaceOutcome::Failed { .. }), "{full:?}");
    for is_done in [false, true] {
        let late = StoreErrorKind::Unavailable(Box::new(KeyringFault::Timeout));
        let ReplaceOutcome::Unknown { intended, error } = fail(late, is_done) else {
            panic!("its fate is not known");
        };
        assert!(error.changed && !format!("{intended:?}").contains("canary"));
        match read_back(&faulty, &name(), &intended) {
            ReadBack::Intended => assert!(is_done),
            ReadBack::Other(Some(other)) => {
                assert!(!is_done && other.rotation_id().is_none(), "{other:?}");
            }
            back => panic!("{back:?}"),
        }
    }
}

#[test]
fn an_encrypted_record_is_not_replaced_while_its_store_is_locked() {
    let place = TestStore::new();
    let lock = place.lock();
    let [_, store] = place.stores();
    save(&*store, &lock, &record("old"));
    let stores = Stores::new(place.dir.path(), place.owner);
    let locked = stores.store(&StoreKind::EncryptedFile);
    let written = replace_if(&*locked, &lock, None, |_| panic!("it cannot be read"));
    match written {
        ReplaceOutcome::Failed { error, .. } => assert!(error.is_locked(), "{error}"),
        other => panic!("{other:?}"),
    }
}
