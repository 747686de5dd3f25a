#![expect(
    clippy::disallowed_methods,
    reason = "a test without a thread may panic"
)]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use rustix::fs::{CWD, FileType, Mode};
use tempfile::TempDir;

use std::time::Duration;

use super::*;
use crate::credential::{Ca, Credential};
use crate::file_lock::FileLock;
use crate::instant::UnixTime;
use crate::store::lock::Locks;
use crate::store::{
    Binding, BoundTarget, Key, Record, Revision, StoreReader as _, StoreWriter as _, record as form,
};
use crate::trust::TrustFault;

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The store of a state folder, with writers that do not wait.
struct TestStore {
    state: TempDir,
    store: FileStore,
    locks: Locks,
}

fn test_store() -> TestStore {
    let state = TempDir::new().unwrap();
    let below = state.path().join("state");
    TestStore {
        store: FileStore::new(&below, uid()),
        locks: Locks::new(&below, uid()).with_tries(1),
        state,
    }
}

impl TestStore {
    fn folder(&self) -> PathBuf {
        self.state.path().join("state/credentials")
    }

    /// Replaces any record.
    fn save(&self, profile: &str, record: &Record) -> Result<Revision, StoreError> {
        let lock = self.locks.take(&name(profile))?;
        let seen = self.store.look(&name(profile)).revision;
        self.store.replace(&lock, &seen, record)
    }

    fn secret(&self, profile: &str) -> Option<String> {
        let record = self.store.load(&name(profile)).unwrap();
        record.map(|record| record.key.credential.client_secret.expose().to_owned())
    }

    fn names(&self) -> Vec<String> {
        names(&self.folder())
    }

    fn distrust(&self) -> TrustFault {
        match self.store.load(&name("a")).unwrap_err().kind {
            StoreErrorKind::Untrusted(untrusted) => untrusted.why,
            kind => panic!("{kind:?}"),
        }
    }

    fn remove(&self, profile: &str) -> Result<bool, StoreError> {
        let lock = self.locks.take(&name(profile))?;
        let seen = self.store.look(&name(profile)).revision;
        self.store.remove(&lock, &seen)
    }
}

fn name(text: &str) -> ProfileName {
    ProfileName::parse(text).unwrap()
}

fn record(secret: &str) -> Record {
    Record {
        key: Key {
            credential: Credential::parse("app", secret).unwrap(),
            key_id: None,
            key_name: Some("jeton-1".into()),
            created_at: UnixTime::from_epoch(Duration::from_secs(5)),
            server_date: None,
        },
        binding: Binding {
            bound: BoundTarget::Origin("https://a.b".into()),
            issuer: None,
            ca: Ca::System,
            proxy: None,
        },
        rotation: None,
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_saved_record_loads_until_it_is_replaced_or_removed() {
    let place = test_store();
    assert_eq!(place.secret("a"), None, "before the folder is there");
    assert!(!place.remove("a").unwrap());
    place.save("a", &record("one")).unwrap();
    place.save("a.json", &record("other")).unwrap();
    assert_eq!(place.secret("a").as_deref(), Some("one"));
    place.save("a", &record("two")).unwrap();
    assert_eq!(place.secret("a").as_deref(), Some("two"));
    assert_eq!(place.names(), ["a.json", "a.json.json"]);
    assert!(place.remove("a").unwrap());
    assert!(!place.remove("a").unwrap());
    assert_eq!(place.secret("a"), None);
    assert_eq!(place.secret("a.json").as_deref(), Some("other"));
}

#[test]
fn all_created_store_files_and_folders_are_private() {
    let place = test_store();
    let dir = &place.state;
    place.save("a", &record("x")).unwrap();
    for (path, mode) in [
        (dir.path().join("state"), 0o700),
        (place.folder(), 0o700),
        (place.store.path(&name("a")), 0o600),
        (dir.path().join("state/locks"), 0o700),
    ] {
        let meta = path.symlink_metadata().unwrap();
        assert_eq!((meta.mode() & 0o777, meta.uid()), (mode, uid()), "{path:?}");
    }
}

#[test]
fn a_record_accessible_to_other_users_is_refused() {
    let place = test_store();
    let dir = &place.state;
    place.save("a", &record("x")).unwrap();
    let file = place.store.path(&name("a"));
    for mode in [0o640, 0o604, 0o601, 0o620] {
        chmod(&file, mode);
        assert!(
            matches!(place.distrust(), TrustFault::Open { .. }),
            "{mode:o}"
        );
    }
    chmod(&file, 0o600);
    let second = dir.path().join("second");
    fs::hard_link(&file, &second).unwrap();
    assert!(matches!(place.distrust(), TrustFault::HardLinks(2)));
    fs::rename(&second, dir.path().join("moved")).unwrap();
    fs::remove_file(&file).unwrap();
    symlink(dir.path().join("moved"), &file).unwrap();
    assert!(matches!(place.distrust(), TrustFault::IsALink));
    // A save replaces the link, and leaves its target alone.
    place.save("a", &record("new")).unwrap();
    assert_eq!(place.secret("a").as_deref(), Some("new"));
    assert!(
        !fs::read_to_string(dir.path().join("moved"))
            .unwrap()
            .contains("new")
    );
}

#[test]
fn a_record_that_is_not_a_regular_file_is_refused_without_blocking() {
    let place = test_store();
    place.save("b", &record("x")).unwrap();
    let file = place.store.path(&name("a"));
    rustix::fs::mknodat(CWD, &file, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    assert!(matches!(place.distrust(), TrustFault::NotAFile));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(matches!(place.distrust(), TrustFault::NotAFile));
    let error = place.save("a", &record("x")).unwrap_err();
    assert!(!error.changed, "{error}");
    assert_eq!(place.names(), ["a.json", "b.json"], "nothing left over");
    fs::remove_dir(&file).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&file).unwrap();
    assert!(matches!(place.distrust(), TrustFault::NotAFile));
}

#[test]
fn a_store_folder_that_is_accessible_to_others_or_a_link_is_refused() {
    let place = test_store();
    let dir = place.state.path().to_owned();
    place.save("a", &record("x")).unwrap();
    for mode in [0o750, 0o701, 0o770] {
        chmod(&place.folder(), mode);
        assert!(
            matches!(place.distrust(), TrustFault::Open { .. }),
            "{mode:o}"
        );
        assert!(place.save("a", &record("y")).is_err());
        assert!(place.remove("a").is_err());
    }
    chmod(&place.folder(), 0o700);
    fs::rename(place.folder(), dir.join("elsewhere")).unwrap();
    symlink(dir.join("elsewhere"), place.folder()).unwrap();
    assert!(matches!(place.distrust(), TrustFault::IsALink));
    assert!(place.save("a", &record("y")).is_err());
    let other = TestStore {
        store: FileStore::new(&dir.join("state"), uid() + 1),
        ..place
    };
    fs::remove_file(other.folder()).unwrap();
    fs::create_dir(other.folder()).unwrap();
    chmod(&other.folder(), 0o700);
    assert!(matches!(other.distrust(), TrustFault::NotOurs { .. }));
}

#[test]
fn a_huge_or_corrupted_record_is_refused_without_quoting_it() {
    let place = test_store();
    place.save("a", &record("x")).unwrap();
    let file = place.store.path(&name("a"));
    fs::write(&file, vec![b' '; form::MAX_LEN + 1]).unwrap();
    assert!(matches!(place.distrust(), TrustFault::TooLarge(_)));
    fs::write(&file, b"{\"version\":1,\"client_secret\":\"canary\xff\"").unwrap();
    let error = place.store.load(&name("a")).unwrap_err();
    assert!(matches!(
        error.kind,
        StoreErrorKind::Malformed { line: 1, .. }
    ));
    assert!(!format!("{error} {error:?}").contains("canary"));
    assert!(
        error.to_string().starts_with(file.to_str().unwrap()),
        "{error}"
    );
}

#[test]
fn a_locked_profile_can_be_read_but_not_changed() {
    let place = test_store();
    place.save("a", &record("one")).unwrap();
    let lock = place.locks.take(&name("a")).unwrap();
    for error in [
        place.save("a", &record("two")).unwrap_err(),
        place.remove("a").unwrap_err(),
    ] {
        assert!(matches!(error.kind, StoreErrorKind::Busy), "{error}");
    }
    assert_eq!(place.secret("a").as_deref(), Some("one"));
    place.save("b", &record("other")).unwrap();
    drop(lock);
    place.save("a", &record("two")).unwrap();
    assert_eq!(place.secret("a").as_deref(), Some("two"));
}

#[test]
fn a_write_replaces_only_the_record_that_was_read() {
    let place = test_store();
    let a = name("a");
    let lock = place.locks.take(&a).unwrap();
    let absent = place.store.look(&a).revision;
    let one = place.store.replace(&lock, &absent, &record("1")).unwrap();
    assert_eq!(one, place.store.look(&a).revision);
    let two = place.store.replace(&lock, &one, &record("2")).unwrap();
    let is_conflict = |error: &StoreError| {
        let told = error.to_string();
        matches!(error.kind, StoreErrorKind::Conflict)
            && !error.changed
            && told.ends_with("another program has changed it meanwhile: try again")
    };
    for seen in [&absent, &one] {
        let error = place.store.replace(&lock, seen, &record("3")).unwrap_err();
        assert!(is_conflict(&error), "{error}");
        let error = place.store.remove(&lock, seen).unwrap_err();
        assert!(is_conflict(&error), "{error}");
    }
    assert_eq!(place.secret("a").as_deref(), Some("2"));
    assert!(place.store.remove(&lock, &two).unwrap());
    let error = place.store.replace(&lock, &two, &record("3")).unwrap_err();
    assert!(is_conflict(&error), "{error}");
    assert_eq!(place.secret("a"), None);
    assert!(!place.store.remove(&lock, &absent).unwrap());
}

#[test]
fn an_unreadable_record_is_replaced_unless_repaired_meanwhile() {
    let place = test_store();
    place.save("a", &record("1")).unwrap();
    let (a, file) = (name("a"), place.store.path(&name("a")));
    chmod(&file, 0o644);
    let unreadable = place.store.look(&a);
    assert!(unreadable.record.is_err());
    let lock = place.locks.take(&a).unwrap();
    chmod(&file, 0o600);
    let mended = place
        .store
        .replace(&lock, &unreadable.revision, &record("2"));
    let error = mended.unwrap_err();
    assert!(matches!(error.kind, StoreErrorKind::Conflict), "{error}");
    chmod(&file, 0o644);
    place
        .store
        .replace(&lock, &unreadable.revision, &record("2"))
        .unwrap();
    assert_eq!(place.secret("a").as_deref(), Some("2"));
    // Revisions compare bytes, so they distinguish two malformed records.
    fs::write(&file, "spoilt").unwrap();
    let seen = place.store.look(&a).revision;
    fs::write(&file, "spoilt as well").unwrap();
    let error = place.store.remove(&lock, &seen).unwrap_err();
    assert!(matches!(error.kind, StoreErrorKind::Conflict), "{error}");
}

#[test]
fn of_concurrent_writers_with_one_revision_exactly_one_succeeds() {
    let place = test_store();
    let a = name("a");
    let locks = place.locks.clone().with_tries(4_000);
    for round in 0..20 {
        let seen = place.store.look(&a).revision;
        let write = |secret: String| {
            let lock = locks.take(&a).unwrap();
            place.store.replace(&lock, &seen, &record(&secret))
        };
        let results = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|n| scope.spawn(move || (n, write(format!("{round}-{n}")))))
                .collect();
            let ended = writers.into_iter().map(|writer| writer.join().unwrap());
            ended.collect::<Vec<_>>()
        });
        let mut winner = None;
        for (n, result) in results {
            match result {
                Ok(_) => assert_eq!(winner.replace(n), None, "two have written"),
                Err(e) => assert!(matches!(e.kind, StoreErrorKind::Conflict), "{e}"),
            }
        }
        let secret = winner.map(|n| format!("{round}-{n}"));
        assert_eq!(place.secret("a"), secret);
    }
    let left = names(&place.state.path().join("state/locks"));
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn temporary_files_of_a_killed_writer_are_removed_by_the_next_writer() {
    let place = test_store();
    place.save("a", &record("x")).unwrap();
    let temporary = |name: &str| fs::write(place.folder().join(name), "canary").unwrap();
    for name in [
        ".jeton-new-a-Ab12cD",
        ".jeton-new-b-Ab12cD",
        ".jeton-new-c-Ab12cD",
    ] {
        temporary(name);
    }
    // An earlier version has one lock for all profiles, and temporary files without a profile's name.
    temporary(".jeton-new-Ab12cD");
    // This writer is still running.
    let writing = place.locks.take(&name("c")).unwrap();
    place.save("b", &record("x")).unwrap();
    let left = [".jeton-new-c-Ab12cD", "a.json", "b.json"];
    assert_eq!(place.names(), left);
    drop(writing);
    let files = place.store.files().unwrap();
    assert_eq!(files.len(), 3, "{files:?}");

    // A writer of an earlier version is still running.
    let former = File::create(place.folder().join(".lock")).unwrap();
    let former = FileLock::try_exclusive(former).unwrap();
    temporary(".jeton-new-Ab12cD");
    place.save("b", &record("y")).unwrap();
    let left = [".jeton-new-Ab12cD", ".lock", "a.json", "b.json"];
    assert_eq!(place.names(), left);
    drop(former);
    place.save("b", &record("z")).unwrap();
    assert_eq!(place.names(), [".lock", "a.json", "b.json"]);
    let files = place.store.files().unwrap();
    assert_eq!(files.len(), 2, "{files:?}");
}

#[test]
fn a_reader_sees_the_old_or_the_new_record_but_never_a_partial_one() {
    let place = test_store();
    let locks = place.locks.clone().with_tries(4_000);
    place.save("a", &record("0")).unwrap();
    std::thread::scope(|scope| {
        for writer in 1..3 {
            let (store, locks) = (&place.store, &locks);
            scope.spawn(move || {
                for n in 0..20 {
                    let lock = locks.take(&name("a")).unwrap();
                    let seen = store.look(&name("a")).revision;
                    let record = record(&format!("{writer}-{n}"));
                    store.replace(&lock, &seen, &record).unwrap();
                }
            });
        }
        for _ in 0..200 {
            assert!(place.secret("a").is_some());
        }
    });
    assert_eq!(place.names(), ["a.json"]);
}

#[test]
fn store_files_made_by_root_belong_to_the_daemon_user() {
    if uid() != 0 {
        return; // Only root can give files away.
    }
    let state = TempDir::new().unwrap();
    let below = state.path().join("state");
    let place = TestStore {
        store: FileStore::new(&below, 12_345),
        locks: Locks::new(&below, 12_345).with_tries(1),
        state,
    };
    for text in ["one", "two"] {
        place.save("a", &record(text)).unwrap();
        assert_eq!(place.secret("a").as_deref(), Some(text));
    }
    let _lock = place.locks.take(&name("a")).unwrap();
    for path in [
        below.clone(),
        place.folder(),
        place.store.path(&name("a")),
        below.join("locks"),
        below.join("locks/a.lock"),
    ] {
        assert_eq!(path.symlink_metadata().unwrap().uid(), 12_345, "{path:?}");
    }
}
