use std::any::Any;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use keyring_core::api::{Credential as Secret, CredentialApi};

use super::*;
use crate::credential::Credential;
use crate::instant::UnixTime;
use crate::store::{Binding, Key};

/// An entry as a keyring has it, in memory.
#[derive(Default)]
struct Fake {
    secret: Mutex<Option<Vec<u8>>>,
    /// What a call waits for before it does anything.
    gate: Mutex<Option<Receiver<()>>>,
}

impl Fake {
    /// Lets calls hang until the sender is used or dropped.
    fn hang(&self) -> Sender<()> {
        let (open, gate) = channel();
        *self.gate.lock().unwrap() = Some(gate);
        open
    }
}

/// The entry is shared, so that a test sees it while a call has it.
struct Shared(Arc<Fake>);

impl Shared {
    fn secret(&self) -> std::sync::MutexGuard<'_, Option<Vec<u8>>> {
        if let Some(gate) = self.0.gate.lock().unwrap().take() {
            let _ = gate.recv();
        }
        self.0.secret.lock().unwrap()
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

fn store(entry: &Arc<Fake>, limit: Duration) -> KeyringStore {
    let entry = Arc::clone(entry);
    let open = move |profile: &str| {
        assert_eq!(profile, "a");
        let inner = Arc::new(Shared(Arc::clone(&entry)));
        let inner = keyring_core::Entry::new_with_credential(inner);
        Ok(Entry { inner })
    };
    KeyringStore::with(Arc::new(open), limit)
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

fn secret(store: &KeyringStore) -> Option<String> {
    let record = store.load(&name()).unwrap();
    record.map(|record| record.key.credential.client_secret.expose().to_owned())
}

fn fault(error: &StoreError) -> &KeyringFault {
    match &error.kind {
        StoreErrorKind::Keyring(fault) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_record_is_kept_replaced_and_removed() {
    let entry = Arc::new(Fake::default());
    let store = store(&entry, LONG);
    assert_eq!(secret(&store), None);
    assert!(!store.remove(&name()).unwrap());
    store.save(&name(), &record("first")).unwrap();
    store.save(&name(), &record("second")).unwrap();
    assert_eq!(secret(&store).as_deref(), Some("second"));
    let kept = entry.secret.lock().unwrap().clone().unwrap();
    assert_eq!(kept, *record::to_json(&record("second")).unwrap());
    assert!(store.remove(&name()).unwrap());
    assert_eq!(secret(&store), None);
}

#[test]
fn an_entry_that_is_no_record_is_told_without_its_text() {
    let entry = Arc::new(Fake::default());
    *entry.secret.lock().unwrap() = Some(b"canary".to_vec());
    let error = store(&entry, LONG).load(&name()).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("not a credential's record"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn a_keyring_that_does_not_answer_is_given_up_and_taken_up_again_when_it_does() {
    let entry = Arc::new(Fake::default());
    let mut store = store(&entry, Duration::from_millis(1));
    let open = entry.hang();
    let error = store.save(&name(), &record("late")).unwrap_err();
    assert_eq!(fault(&error), &KeyringFault::Timeout);
    // With a limit that no test outlives: what fails now fails at once.
    store.turn.limit(LONG);
    let error = store.save(&name(), &record("never")).unwrap_err();
    assert_eq!(fault(&error), &KeyringFault::Timeout);
    assert!(!error.changed, "it was not begun: {error}");
    assert_eq!(store.probe(&name()), Err(KeyringFault::Timeout));
    drop(open);
    store.turn.wait_until_free();
    assert_eq!(secret(&store).as_deref(), Some("late"));
}

#[test]
fn what_may_have_been_written_is_said_to_be_unknown() {
    let refuses = |begun: bool| StoreError {
        changed: begun,
        ..error(
            &name(),
            StoreErrorKind::Keyring(KeyringFault::Timeout),
            false,
        )
    };
    assert!(refuses(true).to_string().contains("is not known"));
    assert!(!refuses(false).to_string().contains("is not known"));
}

#[test]
fn a_keyring_that_cannot_be_used_is_left_alone() {
    let locked = KeyringStore::with(Arc::new(|_| Err(KeyringFault::Locked)), LONG);
    assert_eq!(locked.probe(&name()), Err(KeyringFault::Locked));
    for error in [
        locked.load(&name()).unwrap_err(),
        locked.save(&name(), &record("canary")).unwrap_err(),
        locked.remove(&name()).unwrap_err(),
    ] {
        assert_eq!(fault(&error), &KeyringFault::Locked);
        assert!(!error.changed);
        let shown = error.to_string();
        assert!(shown.contains("unlock it"), "{shown}");
        assert!(!format!("{shown} {error:?}").contains("canary"), "{shown}");
    }
}
