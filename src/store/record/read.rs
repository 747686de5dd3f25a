//! A record's JSON, parsed into memory that is wiped.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::{
    BegunRotation, FORMER_VERSION, Key, OtherKey, Record, RotationId, SETTLED_VERSION, VERSION,
};
use crate::credential::{Ca, Credential, WipedString};
use crate::instant::UnixTime;
use crate::store::{Binding, BoundTarget, StoreErrorKind};

/// Parses a record.
pub(in crate::store) fn from_json(json: &[u8]) -> Result<Record, StoreErrorKind> {
    // Parsed separately: a later version may have any other form.
    let Version { version } = serde_json::from_slice(json).map_err(|e| malformed(&e))?;
    let (common, bound, ca) = match version {
        FORMER_VERSION => {
            let read: ReadFormer = serde_json::from_slice(json).map_err(|e| malformed(&e))?;
            let ca = read.ca.map_or(Ca::System, Ca::Bytes);
            let bound = BoundTarget::Origin(read.origin);
            (Common::from_json(json)?, bound, ca)
        }
        SETTLED_VERSION | VERSION => {
            let read: ReadBinding = serde_json::from_slice(json).map_err(|e| malformed(&e))?;
            let ca = read.ca.map_or(Ca::System, Ca::Set);
            let endpoint = Url::parse(&read.endpoint).ok();
            // The origin is for people and other programs. A record whose two addresses differ was edited, and it is
            // not known which one is meant.
            let endpoint = endpoint.filter(|url| url.origin().ascii_serialization() == read.origin);
            let bound = BoundTarget::Endpoint {
                provider: read.provider,
                endpoint: endpoint.ok_or(StoreErrorKind::Malformed {
                    line: 0,
                    column: 0,
                    what: "its endpoint is not an address of its origin",
                })?,
            };
            (Common::from_json(json)?, bound, ca)
        }
        other => return Err(StoreErrorKind::Version(other)),
    };
    let binding = Binding {
        bound,
        issuer: common.issuer,
        ca,
        proxy: common.proxy,
    };
    let key = ReadKey {
        client_id: common.client_id,
        client_secret: common.client_secret,
        key_id: common.key_id,
        key_name: common.key_name,
        created_at: common.created_at,
        server_date: common.server_date,
        shared: common.shared,
    };
    let rotation = match version {
        VERSION => {
            let read: ReadRotation = serde_json::from_slice(json).map_err(|e| malformed(&e))?;
            Some(read.parse(&binding)?)
        }
        _ => None,
    };
    Ok(Record {
        key: key.parse(&binding)?,
        binding,
        rotation,
    })
}

/// Converts an error of serde. Its message may quote the text; its position and its category do not.
fn malformed(error: &serde_json::Error) -> StoreErrorKind {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Syntax => "it is not JSON",
        _ => "a field is missing, twice there, or of the wrong type",
    };
    StoreErrorKind::Malformed {
        line: error.line(),
        column: error.column(),
        what,
    }
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

/// The fields that only records of the former version have.
#[derive(Deserialize)]
struct ReadFormer {
    origin: String,
    ca: Option<String>,
}

/// The fields that records of the former version lack.
#[derive(Deserialize)]
struct ReadBinding {
    provider: String,
    endpoint: String,
    origin: String,
    ca: Option<Vec<String>>,
}

/// The fields that records of all versions have. `flatten` would buffer every field, including secrets, so the key's
/// fields are repeated here.
#[derive(Deserialize)]
struct Common {
    client_id: String,
    client_secret: WipedString,
    key_id: Option<String>,
    key_name: Option<String>,
    created_at: u64,
    server_date: Option<u64>,
    #[serde(default)]
    shared: bool,
    issuer: Option<String>,
    proxy: Option<String>,
}

impl Common {
    fn from_json(json: &[u8]) -> Result<Self, StoreErrorKind> {
        serde_json::from_slice(json).map_err(|e| malformed(&e))
    }
}

#[derive(Deserialize)]
struct ReadKey {
    client_id: String,
    client_secret: WipedString,
    key_id: Option<String>,
    key_name: Option<String>,
    created_at: u64,
    server_date: Option<u64>,
    #[serde(default)]
    shared: bool,
}

/// The fields that only a record with a rotation has.
#[derive(Deserialize)]
struct ReadRotation {
    rotation_id: String,
    next: Option<ReadKey>,
    previous: Option<ReadKey>,
}

impl ReadRotation {
    fn parse(self, binding: &Binding) -> Result<BegunRotation, StoreErrorKind> {
        let what = "its rotation has no valid ID, or both a next and a previous key";
        let malformed = || StoreErrorKind::Malformed {
            line: 0,
            column: 0,
            what,
        };
        let other = match (self.next, self.previous) {
            (None, None) => None,
            (Some(next), None) => Some(OtherKey::Next(next.parse(binding)?)),
            (None, Some(previous)) => Some(OtherKey::Previous(previous.parse(binding)?)),
            (Some(_), Some(_)) => return Err(malformed()),
        };
        let id = RotationId::parse(&self.rotation_id).ok_or_else(malformed)?;
        Ok(BegunRotation { id, other })
    }
}

impl ReadKey {
    /// Builds the key, with the record's binding.
    fn parse(self, binding: &Binding) -> Result<Key, StoreErrorKind> {
        let credential = Credential::parse(&self.client_id, &self.client_secret.0);
        let what = "the client ID or the client secret is empty, too long, or has other characters than ASCII";
        Ok(Key {
            credential: credential
                .map_err(|_| StoreErrorKind::Malformed {
                    line: 0,
                    column: 0,
                    what,
                })?
                .bound_to(binding.bound.as_str())
                .trusting(binding.ca.clone())
                .shared(self.shared),
            key_id: self.key_id,
            key_name: self.key_name,
            created_at: seconds(self.created_at),
            server_date: self.server_date.map(seconds),
        })
    }
}

const fn seconds(since_epoch: u64) -> UnixTime {
    UnixTime::from_epoch(Duration::from_secs(since_epoch))
}
