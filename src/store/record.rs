//! The record of a profile, and its JSON. Secrets are read into and written from memory that is wiped, and no message
//! quotes the text.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Binding, StoreErrorKind};
use crate::credential::Credential;
use crate::instant::UnixTime;

/// The record version that this program writes and reads.
const VERSION: u64 = 1;

/// The largest record, in bytes: two credentials of the greatest length, with every character escaped, take a fifth.
pub(super) const MAX_LEN: usize = 64 * 1024;

/// What is stored for a profile.
#[derive(Debug)]
pub struct Record {
    /// The key in use.
    pub key: Key,
    /// What the credential was enrolled for, and may be sent to.
    pub binding: Binding,
    /// The key before this one, as long as a rotation needs it.
    pub previous: Option<Key>,
}

/// A credential, and its issuer's names for it.
#[derive(Debug)]
pub struct Key {
    /// The client ID and the client secret.
    pub credential: Credential,
    /// The issuer's ID of the key, which is not the client ID.
    pub key_id: Option<String>,
    /// The name under which the issuer lists the key.
    pub key_name: Option<String>,
    /// When it was enrolled or created.
    pub created_at: UnixTime,
}

/// The record's JSON; `None` if it would be larger than [`MAX_LEN`].
pub(super) fn to_json(record: &Record) -> Option<Zeroizing<Vec<u8>>> {
    // Allocated at the largest size, so that no growth leaves a copy behind.
    let mut json = Zeroizing::new(Vec::with_capacity(MAX_LEN));
    let written = Written {
        version: VERSION,
        key: WrittenKey::of(&record.key),
        origin: &record.binding.origin,
        issuer: record.binding.issuer.as_deref(),
        ca: record.binding.ca.as_deref(),
        proxy: record.binding.proxy.as_deref(),
        previous: record.previous.as_ref().map(WrittenKey::of),
    };
    let room = Room(&mut json);
    serde_json::to_writer_pretty(room, &written).ok()?;
    Some(json)
}

/// Parses a record.
pub(super) fn from_json(json: &[u8]) -> Result<Record, StoreErrorKind> {
    // Parsed separately: a later version may have any other form.
    let Version { version } = serde_json::from_slice(json).map_err(|e| malformed(&e))?;
    if version != VERSION {
        return Err(StoreErrorKind::Version(version));
    }
    let read: Read = serde_json::from_slice(json).map_err(|e| malformed(&e))?;
    let key = ReadKey {
        client_id: read.client_id,
        client_secret: read.client_secret,
        key_id: read.key_id,
        key_name: read.key_name,
        created_at: read.created_at,
    };
    let previous = read.previous.map(|key| key.parse(&read.origin));
    let previous = previous.transpose()?;
    Ok(Record {
        key: key.parse(&read.origin)?,
        binding: Binding {
            origin: read.origin,
            issuer: read.issuer,
            ca: read.ca,
            proxy: read.proxy,
        },
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

// === writing ===

#[derive(Serialize)]
struct Written<'a> {
    version: u64,
    #[serde(flatten)]
    key: WrittenKey<'a>,
    origin: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    ca: Option<&'a str>,
    proxy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<WrittenKey<'a>>,
}

#[derive(Serialize)]
struct WrittenKey<'a> {
    client_id: &'a str,
    client_secret: &'a str,
    key_id: Option<&'a str>,
    key_name: Option<&'a str>,
    created_at: u64,
}

impl<'a> WrittenKey<'a> {
    fn of(key: &'a Key) -> Self {
        Self {
            client_id: &key.credential.client_id,
            client_secret: key.credential.client_secret.expose(),
            key_id: key.key_id.as_deref(),
            key_name: key.key_name.as_deref(),
            created_at: key.created_at.seconds_down(),
        }
    }
}

/// A writer that never lets its buffer grow.
struct Room<'a>(&'a mut Vec<u8>);

impl std::io::Write for Room<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_LEN {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

// === reading ===

#[derive(Deserialize)]
struct Version {
    version: u64,
}

/// Flattening would buffer every field, including secrets, so the key's fields are repeated here.
#[derive(Deserialize)]
struct Read {
    client_id: String,
    client_secret: Wiped,
    key_id: Option<String>,
    key_name: Option<String>,
    created_at: u64,
    origin: String,
    issuer: Option<String>,
    ca: Option<String>,
    proxy: Option<String>,
    previous: Option<ReadKey>,
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
    /// Builds the key, with its credential bound to the origin in the record.
    fn parse(self, origin: &str) -> Result<Key, StoreErrorKind> {
        let credential = Credential::parse(&self.client_id, &self.client_secret.0);
        let what = "the client ID or the client secret is empty, too long, or has other characters than ASCII";
        Ok(Key {
            credential: credential
                .map_err(|_| StoreErrorKind::Malformed {
                    line: 0,
                    column: 0,
                    what,
                })?
                .bound_to(origin),
            key_id: self.key_id,
            key_name: self.key_name,
            created_at: UnixTime::from_epoch(Duration::from_secs(self.created_at)),
        })
    }
}

/// A text that is wiped on drop.
struct Wiped(Zeroizing<String>);

impl<'de> Deserialize<'de> for Wiped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Wiped;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Wiped, E> {
                Ok(Wiped(Zeroizing::new(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, secret: &str) -> Key {
        Key {
            credential: Credential::parse(id, secret).unwrap(),
            key_id: Some("k-1".into()),
            key_name: None,
            created_at: UnixTime::from_epoch(Duration::from_millis(1_700_000_000_500)),
        }
    }

    fn record(secret: &str, previous: Option<Key>) -> Record {
        Record {
            key: key("app", secret),
            binding: Binding {
                origin: "https://a.b".into(),
                issuer: None,
                ca: None,
                proxy: Some("http://p:1".into()),
            },
            previous,
        }
    }

    fn fault(json: &str) -> String {
        let kind = from_json(json.as_bytes()).unwrap_err();
        super::super::StoreError::new(std::path::Path::new("p"), kind).to_string()
    }

    const GOOD: &str = r#"{"version":1,"client_id":"app","client_secret":"canary","key_id":null,
"created_at":1,"origin":"https://a.b","ca":null,"later":{"x":["canary"]}}"#;

    #[test]
    fn a_record_is_the_same_after_it_was_written_and_read() {
        let secret = "quo\"te \\ back / <&>";
        let json = to_json(&record(secret, Some(key("old", "older")))).unwrap();
        let read = from_json(&json).unwrap();
        assert_eq!(read.key.credential.client_secret.expose(), secret);
        assert_eq!(read.key.credential.client_id, "app");
        assert_eq!(read.key.credential.origin(), Some("https://a.b"));
        assert_eq!(read.key.key_id.as_deref(), Some("k-1"));
        assert_eq!(read.key.key_name, None);
        assert_eq!(
            read.key.created_at.since_epoch(),
            Duration::from_secs(1_700_000_000)
        );
        assert_eq!(read.binding, record("x", None).binding);
        let previous = read.previous.unwrap();
        assert_eq!(previous.credential.client_secret.expose(), "older");
        assert_eq!(previous.credential.origin(), Some("https://a.b"));
        assert_eq!(
            *to_json(&from_json(&json).unwrap()).unwrap(),
            *json,
            "stable"
        );
        assert!(
            from_json(&to_json(&record("x", None)).unwrap())
                .unwrap()
                .previous
                .is_none()
        );
    }

    #[test]
    fn the_form_on_the_disk_is_the_documented_one() {
        let json = to_json(&record("s3", Some(key("old", "s2")))).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let expected = serde_json::json!({
            "version": 1, "client_id": "app", "client_secret": "s3", "key_id": "k-1", "key_name": null,
            "created_at": 1_700_000_000_u64, "origin": "https://a.b", "ca": null, "proxy": "http://p:1",
            "previous": {"client_id": "old", "client_secret": "s2", "key_id": "k-1", "key_name": null, "created_at": 1_700_000_000_u64},
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn a_record_of_a_discovered_endpoint_says_who_named_it() {
        let mut discovered = record("x", None);
        discovered.binding.issuer = Some("https://idp.example/".into());
        let json = to_json(&discovered).unwrap();
        assert_eq!(from_json(&json).unwrap().binding, discovered.binding);
    }

    #[test]
    fn the_longest_credentials_fit_and_what_does_not_is_refused() {
        let longest = "\"".repeat(crate::credential::MAX_CREDENTIAL_LEN);
        let both = record(&longest, Some(key(&longest, &longest)));
        assert!(from_json(&to_json(&both).unwrap()).is_ok());
        let mut huge = record("x", None);
        huge.key.key_name = Some("x".repeat(MAX_LEN));
        assert!(to_json(&huge).is_none());
    }

    #[test]
    fn unknown_fields_are_ignored_and_a_later_version_is_told() {
        assert!(from_json(GOOD.as_bytes()).is_ok());
        let later = r#"{"client_secret": ["canary"], "version": 2}"#;
        assert!(fault(later).contains("of version 2"), "{}", fault(later));
    }

    #[test]
    fn no_message_quotes_the_record() {
        for (from, to) in [
            ("\"version\":1", "\"version\":\"canary\""),
            ("\"version\":1,", ""),
            ("\"canary\",\"key", "7,\"key"),
            ("\"created_at\":1", "\"created_at\":\"canary\""),
            ("\"created_at\":1", "\"created_at\":-1"),
            (
                "\"created_at\":1",
                "\"created_at\":1,\"client_secret\":\"canary\"",
            ),
            ("\"client_id\":\"app\"", "\"client_id\":\"\""),
            ("\"canary\",", "\"canary\\u0007\","),
            ("\"canary\",", "\"canary"),
            ("}}", "}} canary"),
            ("}}", ""),
        ] {
            let json = GOOD.replacen(from, to, 1);
            assert_ne!(json, GOOD);
            let text = fault(&json);
            assert!(
                text.contains("not a credential's record") && !text.contains("canary"),
                "{text}"
            );
        }
        let kind = from_json(&GOOD.as_bytes()[..40]).unwrap_err();
        assert!(!format!("{kind:?}").contains("canary"));
    }
}
