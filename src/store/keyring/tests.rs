use std::any::Any;
use std::sync::{Arc, Mutex};

use keyring::Entry;
use keyring_core::api::{Credential as Secret, CredentialApi};

use super::*;
use crate::credential::{Ca, Credential, RawAnswer};
use crate::instant::UnixTime;
use crate::store::lock::Locks;
use crate::store::{
    Binding, BoundTarget, Key, ReadBack, Record, ReplaceOutcome, Revision, RotationData,
    RotationDataStore as _, RotationId, StoreReader as _, StoreWriter as _, read_back,
    record as form, replace_if,
};
use crate::token::AccessToken;

/// An entry of a keyring, in memory.
#[derive(Default)]
struct Fake {
    secret: Mutex<Option<Vec<u8>>>,
    /// The second entry.
    kept: Mutex<Option<Vec<u8>>>,
    /// The fault of the next call of this kind, which the call reports as begun and does not carry out.
    fails: Mutex<Option<(Operation, KeyringFault)>>,
}

/// Shared, so that a test sees the entry during a call.
struct Shared(Arc<Fake>, Item);

impl Shared {
    fn secret(&self) -> std::sync::MutexGuard<'_, Option<Vec<u8>>> {
        let secret = match self.1 {
            Item::Record => &self.0.secret,
            Item::Kept => &self.0.kept,
        };
        secret.lock().unwrap()
    }
}

impl CredentialApi for Shared {
    fn set_secret(&self, secret: &[u8]) -> keyring::Result<()> {
        *self.secret() = Some(secret.to_vec());
        Ok(())
    }

    fn get_secret(&self) -> keyring::Result<Vec<u8>> {
        self.secret().clone().ok_or(keyring::Error::NoEntry)
    }

    fn delete_credential(&self) -> keyring::Result<()> {
        let gone = self.secret().take();
        gone.map(drop).ok_or(keyring::Error::NoEntry)
    }

    fn get_credential(&self) -> keyring::Result<Option<Arc<Secret>>> {
        Ok(None)
    }

    fn get_specifiers(&self) -> Option<(String, String)> {
        None
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn debug_fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// Makes calls to the fake, with answers in the bytes of the real protocol.
struct InThisProcess(Arc<Fake>);

impl MakeCall for InThisProcess {
    fn make(&self, call: Call<'_>) -> Outcome {
        let open = |profile: &str| {
            assert_eq!(profile, "a");
            let inner = Arc::new(Shared(Arc::clone(&self.0), call.item));
            let inner = keyring_core::Entry::new_with_credential(inner);
            Ok(Entry { inner })
        };
        let fails = |fails: &mut (Operation, KeyringFault)| fails.0 == call.operation;
        if let Some((_, fault)) = self.0.fails.lock().unwrap().take_if(fails) {
            let result = Err(fault);
            return Outcome {
                result,
                begun: true,
            };
        }
        let mut written = vec![];
        let Call {
            operation,
            item,
            profile,
            content,
        } = call;
        call::serve(operation, item, profile, open, content, &mut written).unwrap();
        let (result, begun) = Outcome::read(&written);
        let result = result.unwrap();
        Outcome { result, begun }
    }
}

/// A keyring that cannot be used.
struct Unusable(KeyringFault);

impl MakeCall for Unusable {
    fn make(&self, _: Call<'_>) -> Outcome {
        Outcome::not_begun(self.0.clone())
    }
}

fn store(entry: &Arc<Fake>) -> KeyringStore {
    KeyringStore::with(InThisProcess(Arc::clone(entry)), LONG)
}

fn name() -> ProfileName {
    ProfileName::parse("a").unwrap()
}

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

fn lock() -> (tempfile::TempDir, ProfileLock) {
    let state = tempfile::tempdir().unwrap();
    let locks = Locks::new(state.path(), rustix::process::geteuid().as_raw());
    let lock = locks.take(&name()).unwrap();
    (state, lock)
}

/// Replaces any record.
fn save(store: &KeyringStore, record: &Record) -> Result<Revision, StoreError> {
    let seen = store.look(&name()).revision;
    store.replace(&lock().1, &seen, record)
}

fn remove(store: &KeyringStore) -> Result<bool, StoreError> {
    let seen = store.look(&name()).revision;
    store.remove(&lock().1, &seen)
}

fn secret(store: &KeyringStore) -> Option<String> {
    let record = store.load(&name()).unwrap();
    record.map(|record| record.key.credential.client_secret.expose().to_owned())
}

fn reason(error: &StoreError) -> String {
    match &error.kind {
        StoreErrorKind::Unavailable(why) => why.reason(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_record_is_stored_replaced_and_removed() {
    let entry = Arc::new(Fake::default());
    let store = store(&entry);
    assert_eq!(secret(&store), None);
    assert!(!remove(&store).unwrap());
    save(&store, &record("first")).unwrap();
    save(&store, &record("second")).unwrap();
    assert_eq!(secret(&store).as_deref(), Some("second"));
    let kept = entry.secret.lock().unwrap().clone().unwrap();
    assert_eq!(kept, *form::to_json(&record("second")).unwrap());
    assert!(remove(&store).unwrap());
    assert_eq!(secret(&store), None);
}

#[test]
fn a_write_replaces_only_the_entry_that_was_read() {
    let entry = Arc::new(Fake::default());
    let (keyring, lock) = (store(&entry), lock().1);
    let absent = keyring.look(&name()).revision;
    let first = keyring.replace(&lock, &absent, &record("first")).unwrap();
    // Another program changes the entry, without a lock that we could see.
    *entry.secret.lock().unwrap() = Some(b"its own".to_vec());
    for error in [
        keyring
            .replace(&lock, &first, &record("second"))
            .unwrap_err(),
        keyring.remove(&lock, &first).unwrap_err(),
    ] {
        assert!(matches!(error.kind, StoreErrorKind::Conflict), "{error}");
        assert!(!error.changed, "{error}");
    }
    assert_eq!(
        entry.secret.lock().unwrap().as_deref(),
        Some(&b"its own"[..])
    );
    // A record that cannot be compared is not replaced, unless it was unreadable before and the keyring as a whole
    // works.
    let seen = keyring.look(&name()).revision;
    *entry.fails.lock().unwrap() = Some((Operation::Load, KeyringFault::Locked));
    let error = keyring
        .replace(&lock, &seen, &record("second"))
        .unwrap_err();
    assert_eq!(reason(&error), KeyringFault::Locked.reason());
    *entry.fails.lock().unwrap() = Some((Operation::Load, KeyringFault::Ambiguous));
    let unreadable = keyring.look(&name()).revision;
    *entry.fails.lock().unwrap() = Some((Operation::Load, KeyringFault::Ambiguous));
    keyring
        .replace(&lock, &unreadable, &record("whole"))
        .unwrap();
    assert_eq!(secret(&keyring).as_deref(), Some("whole"));
}

#[test]
fn an_invalid_keyring_entry_is_reported_without_quoting_it() {
    let entry = Arc::new(Fake::default());
    *entry.secret.lock().unwrap() = Some(b"canary".to_vec());
    let error = store(&entry).load(&name()).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("not a credential's record"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn the_effect_of_a_lost_keyring_call_is_reported_as_unknown() {
    let entry = Arc::new(Fake::default());
    let store = store(&entry);
    for fault in [
        KeyringFault::Timeout,
        KeyringFault::Process("was ended".into()),
    ] {
        let fails = |operation| *entry.fails.lock().unwrap() = Some((operation, fault.clone()));
        fails(Operation::Save);
        let error = save(&store, &record("canary")).unwrap_err();
        assert!(
            error.changed && error.to_string().contains("is not known"),
            "{error}"
        );
        fails(Operation::Remove);
        assert!(remove(&store).unwrap_err().changed);
        fails(Operation::Load);
        let error = store.load(&name()).unwrap_err();
        assert!(!error.changed, "{error}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    // The next call works as usual.
    save(&store, &record("s")).unwrap();
    assert_eq!(secret(&store).as_deref(), Some("s"));
}

#[test]
fn an_unusable_keyring_fails_every_operation_without_a_change() {
    let locked = KeyringStore::with(Unusable(KeyringFault::Locked), LONG);
    for error in [
        locked.probe(&name()).unwrap_err(),
        locked.load(&name()).unwrap_err(),
        save(&locked, &record("canary")).unwrap_err(),
        remove(&locked).unwrap_err(),
    ] {
        assert_eq!(reason(&error), KeyringFault::Locked.reason());
        assert!(!error.changed);
        let shown = error.to_string();
        assert!(shown.contains("unlock it"), "{shown}");
        assert!(!format!("{shown} {error:?}").contains("canary"), "{shown}");
    }
}

#[test]
fn rotation_data_is_stored_in_its_own_keyring_entry() {
    let entry = Arc::new(Fake::default());
    let (store, lock) = (store(&entry), lock().1);
    save(&store, &record("s")).unwrap();
    assert!(store.kept(&name()).unwrap().is_none());
    assert!(!store.forget(&lock).unwrap());
    // More than a record has room for.
    let token = "t".repeat(crate::token::MAX_TOKEN_LEN);
    let kept = RotationData {
        rotation: RotationId::of(7),
        token: AccessToken::parse(&token).unwrap(),
        answer: Some(RawAnswer::of(&vec![0xff; 32 * 1024])),
    };
    store.keep(&lock, &kept).unwrap();
    let read = store.kept(&name()).unwrap().unwrap();
    assert!(read.rotation == kept.rotation && read.token == kept.token);
    assert_eq!(read.answer.unwrap().expose(), vec![0xff; 32 * 1024]);
    assert_eq!(secret(&store).as_deref(), Some("s"), "the record stays");
    for fault in [KeyringFault::Timeout, KeyringFault::Locked] {
        let fails = |operation| *entry.fails.lock().unwrap() = Some((operation, fault.clone()));
        fails(Operation::Save);
        assert!(store.keep(&lock, &kept).unwrap_err().changed);
        fails(Operation::Remove);
        let error = store.forget(&lock).unwrap_err();
        assert!(
            error.changed && error.to_string().contains("second entry"),
            "{error}"
        );
    }
    assert!(store.forget(&lock).unwrap());
    assert!(store.kept(&name()).unwrap().is_none());
    assert_eq!(secret(&store).as_deref(), Some("s"));
}

#[test]
fn a_rotation_writes_an_entry_only_for_its_own_rotation_id() {
    let entry = Arc::new(Fake::default());
    let (store, lock) = (store(&entry), lock().1);
    let bound = |secret: &str| {
        let mut record = record(secret);
        record.binding.bound = BoundTarget::Endpoint {
            provider: "runai".into(),
            endpoint: "https://a.b/token".parse().unwrap(),
        };
        record
    };
    save(&store, &bound("first")).unwrap();
    let begin = |stored: Record| stored.rotating(RotationId::of(1), Some(bound("next").key));
    // The call times out, but the keyring writes the entry later.
    *entry.fails.lock().unwrap() = Some((Operation::Save, KeyringFault::Timeout));
    let unknown = replace_if(&store, &lock, None, begin);
    let ReplaceOutcome::Unknown { intended, .. } = unknown else {
        panic!("{unknown:?}");
    };
    let before = read_back(&store, &name(), &intended);
    assert!(matches!(before, ReadBack::Other(Some(_))), "{before:?}");
    let late = form::to_json(&intended).unwrap();
    *entry.secret.lock().unwrap() = Some(late.to_vec());
    let after = read_back(&store, &name(), &intended);
    assert!(matches!(after, ReadBack::Intended), "{after:?}");
    // The rotation of another program stays unchanged.
    for other in [None, Some(RotationId::of(2))] {
        let refused = replace_if(&store, &lock, other.as_ref(), Record::switched);
        assert!(matches!(refused, ReplaceOutcome::Conflict), "{refused:?}");
    }
    assert_eq!(secret(&store).as_deref(), Some("first"));
    let done = replace_if(&store, &lock, Some(&RotationId::of(1)), Record::switched);
    assert!(matches!(done, ReplaceOutcome::Done(_)), "{done:?}");
    assert_eq!(secret(&store).as_deref(), Some("next"));
    let stored = entry.secret.lock().unwrap().clone().unwrap();
    assert!(String::from_utf8(stored).unwrap().contains("\"previous\""));
}
