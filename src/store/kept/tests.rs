//! Tests of the second slot in each store of files; those of the keyring's slot are beside the keyring.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::age_file::Identity;
use crate::credential::RawAnswer;
use crate::store::lock::Locks;
use crate::store::{EncryptedStore, FileStore, RotationId, Store, StoreErrorKind, StoreKeys};
use crate::token::{AccessToken, MAX_TOKEN_LEN};

struct TestStore {
    dir: tempfile::TempDir,
    identity: Identity,
}

impl TestStore {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            identity: Identity::generate(),
        }
    }

    /// One store of each kind, and the path of its slot.
    fn stores(&self) -> [(Arc<dyn Store>, PathBuf); 2] {
        let uid = rustix::process::geteuid().as_raw();
        let keys = Arc::new(StoreKeys::default());
        keys.encrypt_to(Some(self.identity.recipient()));
        let identity = Identity::parse(&self.identity.expose()).unwrap();
        keys.unlock(identity).unwrap();
        let folder = self.dir.path().join("kept");
        [
            (
                Arc::new(FileStore::new(self.dir.path(), uid)),
                folder.join("a.json"),
            ),
            (
                Arc::new(EncryptedStore::new(self.dir.path(), uid, keys)),
                folder.join("a.age"),
            ),
        ]
    }

    fn lock(&self) -> ProfileLock {
        let uid = rustix::process::geteuid().as_raw();
        Locks::new(self.dir.path(), uid).take(&name()).unwrap()
    }
}

fn name() -> ProfileName {
    ProfileName::parse("a").unwrap()
}

fn kept(token: &str, answer: Option<&[u8]>) -> RotationData {
    RotationData {
        rotation: RotationId::of(7),
        token: AccessToken::parse(token).unwrap(),
        answer: answer.map(RawAnswer::of),
    }
}

#[track_caller]
fn assert_same(read: Option<RotationData>, wanted: &RotationData) {
    let read = read.expect("something is kept");
    assert_eq!(read.rotation, wanted.rotation);
    assert!(read.token == wanted.token);
    let bytes = |kept: &RotationData| kept.answer.as_ref().map(|it| it.expose().to_vec());
    assert_eq!(bytes(&read), bytes(wanted));
}

#[test]
fn rotation_data_is_stored_beside_the_record_and_removed() {
    let place = TestStore::new();
    let lock = place.lock();
    for (store, file) in place.stores() {
        assert!(store.kept(&name()).unwrap().is_none());
        assert!(!store.forget(&lock).unwrap());
        assert!(!place.dir.path().join("kept").exists() || !file.exists());
        for wanted in [
            kept("canary-token", None),
            kept("canary-token", Some(b"{\"secret\":\"canary\"}")),
            kept("other", Some(b"\xff\0no text")),
            kept("other", Some(b"")),
        ] {
            store.keep(&lock, &wanted).unwrap();
            assert_same(store.kept(&name()).unwrap(), &wanted);
            assert!(!format!("{wanted:?}").contains("canary"), "{wanted:?}");
        }
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(store.load(&name()).unwrap().is_none(), "it is no record");
        assert!(store.files().unwrap().is_empty(), "nor listed as one");
        assert!(store.forget(&lock).unwrap());
        assert!(store.kept(&name()).unwrap().is_none() && !file.exists());
    }
}

#[test]
fn the_longest_token_and_response_fit_into_a_slot() {
    let place = TestStore::new();
    let lock = place.lock();
    let (token, answer) = ("\"".repeat(MAX_TOKEN_LEN), vec![0xff; 64 * 1024]);
    let wanted = kept(&token, Some(&answer));
    for (store, file) in place.stores() {
        store.keep(&lock, &wanted).unwrap();
        assert_same(store.kept(&name()).unwrap(), &wanted);
        // A file that is larger is not read.
        std::fs::write(&file, vec![b' '; 2 * MAX_LEN]).unwrap();
        store.kept(&name()).unwrap_err();
        store.forget(&lock).unwrap();
    }
}

#[test]
fn an_encrypted_slot_hides_its_content_and_is_bound_to_its_profile() {
    let place = TestStore::new();
    let [_, (store, file)] = place.stores();
    store
        .keep(&place.lock(), &kept("canary", Some(b"canary")))
        .unwrap();
    let bytes = std::fs::read(&file).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/"));
    assert!(!bytes.windows(6).any(|part| part == b"canary"));
    std::fs::rename(&file, file.with_file_name("b.age")).unwrap();
    let other = ProfileName::parse("b").unwrap();
    let error = store.kept(&other).unwrap_err();
    assert!(
        matches!(&error.kind, StoreErrorKind::OfAnotherProfile(of) if *of == name()),
        "{error}"
    );
}

#[test]
fn an_incomplete_slot_is_an_error_that_does_not_quote_it() {
    let place = TestStore::new();
    let [(store, file), _] = place.stores();
    store
        .keep(&place.lock(), &kept("canary", Some(b"x")))
        .unwrap();
    let whole = std::fs::read_to_string(&file).unwrap();
    let mut bad: Vec<String> = (0..whole.len() - 1)
        .map(|n| whole[..n].to_owned())
        .collect();
    for (from, to) in [
        ("\"version\": 1", "\"version\": 2"),
        ("00000000000000000000000000000007", "7"),
        ("canary", "can ary"),
        ("\"78\"", "\"7\""),
        ("\"78\"", "\"7x\""),
    ] {
        assert!(whole.contains(from), "{from}");
        bad.push(whole.replacen(from, to, 1));
    }
    for bad in bad {
        std::fs::write(&file, &bad).unwrap();
        let error = store.kept(&name()).unwrap_err();
        assert!(
            matches!(error.kind, StoreErrorKind::NotUnderstood(_)),
            "{bad}"
        );
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("canary") && !shown.contains("can ary"),
            "{shown}"
        );
    }
}
