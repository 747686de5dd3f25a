//! The file format of the unfinished calls.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::StoreErrorKind;
use super::call::{KeyCall, KeyIntent, SecretDestination};
use crate::config::StoreKind;
use crate::profile::ProfileName;

/// The file version that this program writes and reads.
const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Form {
    version: u64,
    profile: String,
    #[serde(default)]
    creations: Vec<Creation>,
    #[serde(default)]
    regenerations: Vec<Regeneration>,
}

#[derive(Serialize, Deserialize)]
struct Creation {
    name: String,
    known: Vec<String>,
    doomed: Option<String>,
    #[serde(flatten)]
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Regeneration {
    name: String,
    key_id: String,
    client_id: String,
    rejected: Option<u64>,
    #[serde(flatten)]
    place: Place,
}

#[derive(Serialize, Deserialize)]
struct Place {
    path: String,
    at: u64,
    enrol: Option<String>,
    store: Option<String>,
    secret_file: Option<PathBuf>,
}

/// Writes the file's JSON. Fails for a path that is not UTF-8.
pub(super) fn to_json(profile: &ProfileName, all: Vec<KeyIntent>) -> serde_json::Result<Vec<u8>> {
    let mut form = Form {
        version: VERSION,
        profile: profile.to_string(),
        creations: vec![],
        regenerations: vec![],
    };
    all.into_iter().for_each(|intent| form.add(intent));
    serde_json::to_vec_pretty(&form)
}

/// Parses the file, which must belong to this profile.
pub(super) fn parse(json: &[u8], profile: &ProfileName) -> Result<Vec<KeyIntent>, StoreErrorKind> {
    let malformed = || StoreErrorKind::Malformed {
        line: 0,
        column: 0,
        what: "it does not say which keys were to be made",
    };
    let form: Form = serde_json::from_slice(json).map_err(|_| malformed())?;
    if form.version != VERSION {
        return Err(StoreErrorKind::Version(form.version));
    }
    if form.profile != profile.as_str() {
        return Err(malformed());
    }
    form.intents().ok_or_else(malformed)
}

// === impl Form ===

impl Form {
    fn add(&mut self, intent: KeyIntent) {
        let KeyIntent {
            path,
            at,
            keeper,
            call,
        } = intent;
        let place = Place::of(path, at, keeper);
        match call {
            KeyCall::Creation {
                name,
                known,
                doomed,
            } => self.creations.push(Creation {
                name,
                known,
                doomed,
                place,
            }),
            KeyCall::Regeneration {
                name,
                key_id,
                client_id,
                rejected,
            } => self.regenerations.push(Regeneration {
                name,
                key_id,
                client_id,
                rejected,
                place,
            }),
        }
    }

    fn intents(self) -> Option<Vec<KeyIntent>> {
        let creations = self.creations.into_iter().map(|creation| {
            creation.place.intent(KeyCall::Creation {
                name: creation.name,
                known: creation.known,
                doomed: creation.doomed,
            })
        });
        let regenerations = self.regenerations.into_iter().map(|regeneration| {
            regeneration.place.intent(KeyCall::Regeneration {
                name: regeneration.name,
                key_id: regeneration.key_id,
                client_id: regeneration.client_id,
                rejected: regeneration.rejected,
            })
        });
        creations.chain(regenerations).collect()
    }
}

impl Place {
    fn of(path: String, at: u64, keeper: SecretDestination) -> Self {
        let (enrol, store, secret_file) = match keeper {
            SecretDestination::Profile(profile, store) => (
                Some(profile.to_string()),
                Some(store.as_str().to_owned()),
                None,
            ),
            SecretDestination::File(path) => (None, None, Some(path)),
            SecretDestination::Nothing => (None, None, None),
        };
        Self {
            path,
            at,
            enrol,
            store,
            secret_file,
        }
    }

    fn intent(self, call: KeyCall) -> Option<KeyIntent> {
        let keeper = match (self.enrol, self.store, self.secret_file) {
            (Some(profile), Some(store), None) => SecretDestination::Profile(
                ProfileName::parse(&profile).ok()?,
                StoreKind::parse(&store)?,
            ),
            (None, None, Some(path)) => SecretDestination::File(path),
            (None, None, None) => SecretDestination::Nothing,
            _ => return None,
        };
        Some(KeyIntent {
            path: self.path,
            at: self.at,
            keeper,
            call,
        })
    }
}
