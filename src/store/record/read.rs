//! A record's JSON, parsed into memory that is wiped.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::{FORMER_VERSION, Key, Record, VERSION};
use crate::credential::{Ca, Credential, Wiped};
use crate::instant::UnixTime;
use crate::store::{Binding, Bound, StoreErrorKind};

/// Parses a record.
pub(in crate::store) fn from_json(json: &[u8]) -> Result<Record, StoreErrorKind> {
    // Parsed separately: a later version may have any other form.
    let Version { version } = serde_json::from_slice(json).map_err(|e| malformed(&e))?;
    let (common, bound, ca) = match version {
        FORMER_VERSION => {
            let read: ReadFormer = serde_json::from_slice(json).map_err(|e| malformed(&e))?;
            let ca = read.ca.map_or(Ca::System, Ca::Bytes);
            let bound = Bound::Origin(read.origin);
            (Common::from_json(json)?, bound, ca)
        }
        VERSION => {
            let read: ReadBinding = serde_json::from_slice(json).map_err(|e| malformed(&e))?;
            let ca = read.ca.map_or(Ca::System, Ca::Set);
            let endpoint = Url::parse(&read.endpoint).ok();
            // The origin is there for people and for other programs. A record whose two addresses differ was edited, and
            // it is not known which one is meant.
            let endpoint = endpoint.filter(|url| url.origin().ascii_serialization() == read.origin);
            let bound = Bound::Endpoint {
                provider: read.provider,
                endpoint: endpoint.ok_or(StoreErrorKind::Malformed {
                    line: 0,
                    column: 0,
                    what: "its endpoint is no address, or none of its origin",
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
    };
    let previous = common.previous.map(|key| key.parse(&binding)).transpose()?;
    let mut key = key.parse(&binding)?;
    key.credential = key.credential.shared(common.shared);
    Ok(Record {
        key,
        binding,
        previous,
    })
}

/// Converts an error of serde. Its message may quote the text; its place and its category do not.
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

/// What only records of the former version have.
#[derive(Deserialize)]
struct ReadFormer {
    origin: String,
    ca: Option<String>,
}

/// What only records of this version have.
#[derive(Deserialize)]
struct ReadBinding {
    provider: String,
    endpoint: String,
    origin: String,
    ca: Option<Vec<String>>,
}

/// What records of both versions have. Flattening would buffer every field, including secrets, so the key's fields are
/// repeated here.
#[derive(Deserialize)]
struct Common {
    client_id: String,
    client_secret: Wiped,
    key_id: Option<String>,
    key_name: Option<String>,
    created_at: u64,
    issuer: Option<String>,
    proxy: Option<String>,
    #[serde(default)]
    shared: bool,
    previous: Option<ReadKey>,
}

impl Common {
    fn from_json(json: &[u8]) -> Result<Self, StoreErrorKind> {
        serde_json::from_slice(json).map_err(|e| malformed(&e))
    }
}

#[derive(Deserialize)]
struct ReadKey {
    client_id: String,
    client_secret: Wiped,
    key_id: Option<String>,
    key_name: Option<String>,
    created_at: u64,
}

impl ReadKey {
    /// Builds the key, with its credential bound as the record says.
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
                .trusting(binding.ca.clone()),
            key_id: self.key_id,
            key_name: self.key_name,
            created_at: UnixTime::from_epoch(Duration::from_secs(self.created_at)),
        })
    }
}
