//! Tests of sealing, opening and refusing records.

use std::time::Duration;

use super::*;
use crate::age_file::{Identity, OpenError, Passphrase, WorkFactor};
use crate::credential::{Ca, Credential};
use crate::instant::UnixTime;
use crate::store::lock::Locks;
use crate::store::record::MAX_LEN;
use crate::store::{Binding, BoundTarget, Key, Record, StoreReader as _, StoreWriter as _};

/// The largest file of a record.
const MAX_FILE: usize = MAX_LEN + MAX_ADDED;

fn record(secret: &str) -> Record {
    Record {
        key: Key {
            credential: Credential::parse("app", secret).unwrap(),
            key_id: None,
            key_name: None,
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

/// A store with a state folder of its own, and the identity that opens it.
struct TestStore {
    dir: tempfile::TempDir,
    store: EncryptedStore,
    identity: String,
}

impl TestStore {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let identity = Identity::generate();
        let keys = Arc::new(StoreKeys::default());
        keys.encrypt_to(Some(identity.recipient()));
        Self {
            store: EncryptedStore::new(dir.path(), uid, keys),
            identity: identity.expose().to_string(),
            dir,
        }
    }

    fn lock_of(&self, name: &ProfileName) -> ProfileLock {
        let uid = rustix::process::geteuid().as_raw();
        Locks::new(self.dir.path(), uid).take(name).unwrap()
    }

    fn unlock(&self) {
        let identity = Identity::parse(&self.identity).unwrap();
        self.store.keys().unlock(identity).unwrap();
    }

    fn put(&self, name: &ProfileName, secret: &str) {
        let seen = self.store.look(name);
        let lock = self.lock_of(name);
        let written = self.store.replace(&lock, &seen.revision, &record(secret));
        written.unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("credentials/{name}.age"))
    }

    /// The reason why the store refuses the profile's record.
    fn refused(&self, name: &ProfileName) -> StoreErrorKind {
        self.store.load(name).unwrap_err().kind
    }
}

fn name(text: &str) -> ProfileName {
    ProfileName::parse(text).unwrap()
}

fn secret(record: &Record) -> &str {
    record.key.credential.client_secret.expose()
}

#[test]
fn reading_needs_the_identity_and_writing_does_not() {
    let (place, a) = (TestStore::new(), name("a"));
    assert!(place.store.load(&a).unwrap().is_none());
    place.put(&a, "canary");
    let bytes = std::fs::read(place.path("a")).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n-> X25519 "));
    assert!(!bytes.windows(6).any(|part| part == b"canary"));
    assert!(matches!(place.refused(&a), StoreErrorKind::Locked));
    // Once more, while the store is locked.
    place.put(&a, "newer");
    place.unlock();
    assert_eq!(secret(&place.store.load(&a).unwrap().unwrap()), "newer");
    place.store.keys().lock();
    assert!(matches!(place.refused(&a), StoreErrorKind::Locked));
    let seen = place.store.look(&a).revision;
    assert!(place.store.remove(&place.lock_of(&a), &seen).unwrap());
    assert!(place.store.load(&a).unwrap().is_none());
}

#[test]
fn a_changed_encrypted_record_is_not_replaced_even_without_decryption() {
    let (place, a) = (TestStore::new(), name("a"));
    place.put(&a, "one");
    let seen = place.store.look(&a).revision;
    place.put(&a, "two");
    let lock = place.lock_of(&a);
    let refused = place.store.replace(&lock, &seen, &record("three"));
    assert!(matches!(
        refused.unwrap_err().kind,
        StoreErrorKind::Conflict
    ));
    let removed = place.store.remove(&lock, &seen);
    assert!(matches!(
        removed.unwrap_err().kind,
        StoreErrorKind::Conflict
    ));
}

#[test]
fn a_file_swapped_between_profiles_is_refused_and_named() {
    let (place, a, b) = (TestStore::new(), name("a"), name("b"));
    place.put(&a, "of a");
    place.put(&b, "of b");
    place.unlock();
    std::fs::copy(place.path("b"), place.path("a")).unwrap();
    let kind = place.refused(&a);
    assert!(matches!(&kind, StoreErrorKind::OfAnotherProfile(other) if *other == b));
    let text = StoreError::new(&place.path("a"), kind).to_string();
    assert!(text.contains("the record of the profile b"), "{text}");
    assert_eq!(secret(&place.store.load(&b).unwrap().unwrap()), "of b");
}

#[test]
fn an_invalid_encrypted_record_is_refused_with_the_reason() {
    let (place, a) = (TestStore::new(), name("a"));
    place.put(&a, "canary");
    place.unlock();
    let whole = std::fs::read(place.path("a")).unwrap();
    let ours = |content: &[u8]| {
        let recipient = place.store.keys().recipient().unwrap();
        recipient.seal(content).unwrap().to_vec()
    };
    let by_passphrase = Passphrase::parse("canary").unwrap();
    let cases = [
        (whole[..whole.len() - 1].to_vec(), "cut off"),
        (whole[..30].to_vec(), "cut off"),
        (vec![], "not an age file"),
        (
            b"{\"client_secret\":\"canary\"}".to_vec(),
            "not an age file",
        ),
        (
            b"age-encryption.org/v2\n-> X\n\n--- y\n".to_vec(),
            "a later version of the format",
        ),
        (
            Identity::generate()
                .recipient()
                .seal(b"{}")
                .unwrap()
                .to_vec(),
            "encrypted to another recipient",
        ),
        (
            by_passphrase
                .seal(b"{}", WorkFactor::LEAST)
                .unwrap()
                .to_vec(),
            "encrypted to another recipient",
        ),
        (
            ours(b"{\"client_secret\":\"canary\"}"),
            "does not name its profile",
        ),
        (ours(b"{\"profile\":\"NOBODY\"}"), "an invalid profile"),
        (ours(b"canary"), "does not name its profile"),
        (ours(b"{\"profile\":\"a\",\"version\":99}"), "of version 99"),
        (
            ours(b"{\"profile\":\"a\",\"version\":2}"),
            "not a credential's record",
        ),
    ];
    for (bytes, why) in cases {
        std::fs::write(place.path("a"), &bytes).unwrap();
        let error = place.store.load(&a).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(why) && !text.contains("canary"), "{text}");
    }
    // A file of the largest size, and one byte more.
    std::fs::write(place.path("a"), vec![b'x'; MAX_FILE]).unwrap();
    assert!(matches!(
        place.refused(&a),
        StoreErrorKind::Unopened(OpenError::NotAge)
    ));
    std::fs::write(place.path("a"), vec![b'x'; MAX_FILE + 1]).unwrap();
    assert!(matches!(place.refused(&a), StoreErrorKind::Untrusted(_)));
}

#[test]
fn the_largest_record_fits() {
    let (place, a) = (TestStore::new(), name("a"));
    let mut largest = record("x");
    let room = MAX_LEN - 600;
    largest.key.key_name = Some("x".repeat(room));
    let seen = place.store.look(&a).revision;
    let lock = place.lock_of(&a);
    place.store.replace(&lock, &seen, &largest).unwrap();
    place.unlock();
    let read = place.store.load(&a).unwrap().unwrap();
    assert_eq!(read.key.key_name.map(|name| name.len()), Some(room));
}

#[test]
fn an_identity_of_another_recipient_does_not_unlock_the_store() {
    let keys = StoreKeys::default();
    let (ours, other) = (Identity::generate(), Identity::generate());
    let recipient = ours.recipient();
    assert_eq!(
        keys.unlock(Identity::generate()),
        Err(Mismatch::NoRecipient)
    );
    keys.encrypt_to(Some(recipient.clone()));
    assert_eq!(keys.unlock(other), Err(Mismatch::AnotherRecipient));
    assert!(!keys.is_unlocked());
    keys.unlock(ours).unwrap();
    keys.encrypt_to(Some(recipient));
    assert!(keys.is_unlocked(), "nothing has changed");
    keys.encrypt_to(Some(Identity::generate().recipient()));
    assert!(!keys.is_unlocked(), "it would open no record");
}

#[test]
fn without_a_recipient_no_record_is_written() {
    let (place, a) = (TestStore::new(), name("a"));
    place.store.keys().encrypt_to(None);
    let seen = place.store.look(&a).revision;
    let lock = place.lock_of(&a);
    let refused = place.store.replace(&lock, &seen, &record("canary"));
    assert!(matches!(
        refused.unwrap_err().kind,
        StoreErrorKind::NoRecipient
    ));
    assert!(!place.path("a").exists());
}
