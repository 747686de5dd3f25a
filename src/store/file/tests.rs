#![expect(
    clippy::disallowed_methods,
    reason = "a test without a thread may panic"
)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use rustix::fs::{CWD, FileType, Mode};
use tempfile::TempDir;

use super::*;
use crate::credential::Credential;
use crate::instant::UnixTime;
use crate::store::{Binding, Key};

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn store() -> (TempDir, FileStore) {
    let dir = TempDir::new().unwrap();
    let mut store = FileStore::new(&dir.path().join("state"), uid());
    store.tries = 1;
    (dir, store)
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
        },
        binding: Binding {
            origin: "https://a.b".into(),
            issuer: None,
            ca: None,
            proxy: None,
        },
        previous: None,
    }
}

fn secret(store: &FileStore, profile: &str) -> Option<String> {
    let record = store.load(&name(profile)).unwrap();
    record.map(|record| record.key.credential.client_secret.expose().to_owned())
}

fn names(store: &FileStore) -> Vec<String> {
    let entries = fs::read_dir(&store.folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn distrust(store: &FileStore) -> Distrust {
    match store.load(&name("a")).unwrap_err().kind {
        StoreErrorKind::Untrusted(untrusted) => untrusted.why,
        kind => panic!("{kind:?}"),
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_is_saved_is_loaded_until_it_is_replaced_or_removed() {
    let (_dir, store) = store();
    assert_eq!(secret(&store, "a"), None, "before the folder is there");
    assert!(!store.remove(&name("a")).unwrap());
    store.save(&name("a"), &record("one")).unwrap();
    store.save(&name("a.json"), &record("other")).unwrap();
    assert_eq!(secret(&store, "a").as_deref(), Some("one"));
    store.save(&name("a"), &record("two")).unwrap();
    assert_eq!(secret(&store, "a").as_deref(), Some("two"));
    assert_eq!(names(&store), [".lock", "a.json", "a.json.json"]);
    assert!(store.remove(&name("a")).unwrap());
    assert!(!store.remove(&name("a")).unwrap());
    assert_eq!(secret(&store, "a"), None);
    assert_eq!(secret(&store, "a.json").as_deref(), Some("other"));
}

#[test]
fn everything_that_is_made_is_its_owners_alone() {
    let (dir, store) = store();
    store.save(&name("a"), &record("x")).unwrap();
    for (path, mode) in [
        (dir.path().join("state"), 0o700),
        (store.folder.clone(), 0o700),
        (store.path(&name("a")), 0o600),
        (store.folder.join(".lock"), 0o600),
    ] {
        let meta = path.symlink_metadata().unwrap();
        assert_eq!((meta.mode() & 0o777, meta.uid()), (mode, uid()), "{path:?}");
    }
}

#[test]
fn a_record_that_somebody_else_may_have_is_refused() {
    let (dir, store) = store();
    store.save(&name("a"), &record("x")).unwrap();
    let file = store.path(&name("a"));
    for mode in [0o640, 0o604, 0o601, 0o620] {
        chmod(&file, mode);
        assert!(
            matches!(distrust(&store), Distrust::Open { .. }),
            "{mode:o}"
        );
    }
    chmod(&file, 0o600);
    let second = dir.path().join("second");
    fs::hard_link(&file, &second).unwrap();
    assert!(matches!(distrust(&store), Distrust::HardLinks(2)));
    fs::rename(&second, dir.path().join("moved")).unwrap();
    fs::remove_file(&file).unwrap();
    symlink(dir.path().join("moved"), &file).unwrap();
    assert!(matches!(distrust(&store), Distrust::IsALink));
    // A save replaces the link and leaves what it led to.
    store.save(&name("a"), &record("new")).unwrap();
    assert_eq!(secret(&store, "a").as_deref(), Some("new"));
    assert!(
        !fs::read_to_string(dir.path().join("moved"))
            .unwrap()
            .contains("new")
    );
}

#[test]
fn what_is_not_a_file_is_refused_and_never_waited_for() {
    let (_dir, store) = store();
    store.save(&name("b"), &record("x")).unwrap();
    let file = store.path(&name("a"));
    rustix::fs::mknodat(CWD, &file, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    assert!(matches!(distrust(&store), Distrust::NotAFile));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(matches!(distrust(&store), Distrust::NotAFile));
    let error = store.save(&name("a"), &record("x")).unwrap_err();
    assert!(!error.changed, "{error}");
    assert_eq!(
        names(&store),
        [".lock", "a.json", "b.json"],
        "nothing left over"
    );
    fs::remove_dir(&file).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&file).unwrap();
    assert!(matches!(distrust(&store), Distrust::NotAFile));
}

#[test]
fn a_folder_that_is_open_to_others_or_a_link_is_refused() {
    let (dir, store) = store();
    store.save(&name("a"), &record("x")).unwrap();
    for mode in [0o750, 0o701, 0o770] {
        chmod(&store.folder, mode);
        assert!(
            matches!(distrust(&store), Distrust::Open { .. }),
            "{mode:o}"
        );
        assert!(store.save(&name("a"), &record("y")).is_err());
        assert!(store.remove(&name("a")).is_err());
    }
    chmod(&store.folder, 0o700);
    fs::rename(&store.folder, dir.path().join("elsewhere")).unwrap();
    symlink(dir.path().join("elsewhere"), &store.folder).unwrap();
    assert!(matches!(distrust(&store), Distrust::IsALink));
    assert!(store.save(&name("a"), &record("y")).is_err());
    let other = FileStore::new(dir.path(), uid() + 1);
    fs::create_dir(&other.folder).unwrap();
    chmod(&other.folder, 0o700);
    assert!(matches!(distrust(&other), Distrust::NotOurs { .. }));
}

#[test]
fn a_huge_or_spoilt_record_is_refused_without_its_text() {
    let (_dir, store) = store();
    store.save(&name("a"), &record("x")).unwrap();
    let file = store.path(&name("a"));
    fs::write(&file, vec![b' '; record::MAX_LEN + 1]).unwrap();
    assert!(matches!(distrust(&store), Distrust::TooLarge(_)));
    fs::write(&file, b"{\"version\":1,\"client_secret\":\"canary\xff\"").unwrap();
    let error = store.load(&name("a")).unwrap_err();
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
fn while_another_process_changes_the_store_it_is_read_but_not_changed() {
    let (_dir, store) = store();
    store.save(&name("a"), &record("one")).unwrap();
    let lock = File::open(store.folder.join(".lock")).unwrap();
    let lock = FileLock::try_exclusive(lock).unwrap();
    for error in [
        store.save(&name("a"), &record("two")).unwrap_err(),
        store.remove(&name("a")).unwrap_err(),
    ] {
        assert!(matches!(error.kind, StoreErrorKind::Busy), "{error}");
    }
    assert_eq!(secret(&store, "a").as_deref(), Some("one"));
    drop(lock);
    store.save(&name("a"), &record("two")).unwrap();
    assert_eq!(secret(&store, "a").as_deref(), Some("two"));
}

#[test]
fn a_secret_that_a_killed_writer_left_is_removed_by_the_next() {
    let (_dir, store) = store();
    store.save(&name("a"), &record("x")).unwrap();
    fs::write(store.folder.join(".jeton-new-1234"), "canary").unwrap();
    store.save(&name("b"), &record("x")).unwrap();
    assert_eq!(names(&store), [".lock", "a.json", "b.json"]);
}

#[test]
fn a_reader_sees_an_old_record_or_a_new_one_and_never_a_part() {
    let (_dir, store) = store();
    let store = FileStore {
        tries: TRIES,
        ..store
    };
    store.save(&name("a"), &record("0")).unwrap();
    std::thread::scope(|scope| {
        for writer in 1..3 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..20 {
                    store
                        .save(&name("a"), &record(&format!("{writer}-{n}")))
                        .unwrap();
                }
            });
        }
        for _ in 0..200 {
            assert!(secret(&store, "a").is_some());
        }
    });
    assert_eq!(names(&store), [".lock", "a.json"]);
}

#[test]
fn what_root_makes_for_a_daemons_user_is_that_users() {
    if uid() != 0 {
        return; // Only root can give files away.
    }
    let dir = TempDir::new().unwrap();
    let store = FileStore::new(&dir.path().join("state"), 12_345);
    for text in ["one", "two"] {
        store.save(&name("a"), &record(text)).unwrap();
        assert_eq!(secret(&store, "a").as_deref(), Some(text));
    }
    for path in [
        dir.path().join("state"),
        store.folder.clone(),
        store.path(&name("a")),
        store.folder.join(".lock"),
    ] {
        assert_eq!(path.symlink_metadata().unwrap().uid(), 12_345, "{path:?}");
    }
    // A lock that is not the user's is refused, and never given to it.
    let lock = store.folder.join(".lock");
    fs::remove_file(&lock).unwrap();
    fs::write(&lock, "").unwrap();
    assert!(store.save(&name("a"), &record("x")).is_err());
    assert_eq!(lock.metadata().unwrap().uid(), 0);
}
