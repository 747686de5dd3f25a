//! The record of a profile, and its JSON. Secrets are read into and written from memory that is wiped, and no message
//! quotes the text.

use serde::Serialize;
use zeroize::Zeroizing;

use super::{Binding, Bound};
use crate::credential::{Ca, Credential};
use crate::instant::UnixTime;

mod read;

pub(super) use read::from_json;

/// The record version that this program writes. Its `endpoint` and `provider`, and its `ca` with a hash for each
/// certificate, are new.
pub(super) const VERSION: u64 = 2;

/// The former version, which is still read: its `origin` is all that is known of the address, and its `ca` is the hash of
/// the CA file's bytes.
const FORMER_VERSION: u64 = 1;

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

impl Record {
    /// Whether both would be stored as the same bytes.
    pub fn is_same_as(&self, other: &Self) -> bool {
        to_json(self) == to_json(other)
    }
}

/// The record's JSON; `None` if it would be larger than [`MAX_LEN`].
pub(super) fn to_json(record: &Record) -> Option<Zeroizing<Vec<u8>>> {
    // Allocated at the largest size, so that no growth leaves a copy behind.
    let mut json = Zeroizing::new(Vec::with_capacity(MAX_LEN));
    let origin = record.binding.origin();
    // A record of the former version stays one: what it does not know cannot be made up.
    let (version, provider, endpoint) = match &record.binding.bound {
        Bound::Origin(_) => (FORMER_VERSION, None, None),
        Bound::Endpoint { provider, endpoint } => {
            (VERSION, Some(provider.as_str()), Some(endpoint.as_str()))
        }
    };
    let written = Written {
        version,
        key: WrittenKey::of(&record.key),
        provider,
        endpoint,
        origin: &origin,
        issuer: record.binding.issuer.as_deref(),
        ca: match &record.binding.ca {
            Ca::System => None,
            Ca::Bytes(hash) => Some(WrittenCa::Bytes(hash)),
            Ca::Set(hashes) => Some(WrittenCa::Set(hashes)),
        },
        proxy: record.binding.proxy.as_deref(),
        shared: record.key.credential.is_shared(),
        previous: record.previous.as_ref().map(WrittenKey::of),
    };
    let room = Room(&mut json);
    serde_json::to_writer_pretty(room, &written).ok()?;
    Some(json)
}

#[derive(Serialize)]
struct Written<'a> {
    version: u64,
    #[serde(flatten)]
    key: WrittenKey<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a str>,
    origin: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    ca: Option<WrittenCa<'a>>,
    proxy: Option<&'a str>,
    /// Only where it is so: an earlier program ignores it.
    #[serde(skip_serializing_if = "is_false")]
    shared: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<WrittenKey<'a>>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes the field by reference"
)]
const fn is_false(shared: &bool) -> bool {
    !*shared
}

#[derive(Serialize)]
#[serde(untagged)]
enum WrittenCa<'a> {
    Bytes(&'a str),
    Set(&'a [String]),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use url::Url;

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
                bound: Bound::Endpoint {
                    provider: "runai".into(),
                    endpoint: Url::parse("https://a.b/x").unwrap(),
                },
                issuer: None,
                ca: Ca::System,
                proxy: Some("http://p:1".into()),
            },
            previous,
        }
    }

    fn fault(json: &str) -> String {
        let kind = from_json(json.as_bytes()).unwrap_err();
        super::super::StoreError::new(std::path::Path::new("p"), kind).to_string()
    }

    const GOOD: &str = r#"{"version":2,"client_id":"app","client_secret":"canary","key_id":null,
"created_at":1,"provider":"runai","endpoint":"https://a.b/x","origin":"https://a.b","ca":null,"later":{"x":["canary"]}}"#;

    const FORMER: &str = r#"{"version":1,"client_id":"app","client_secret":"canary","key_id":null,
"created_at":1,"origin":"https://a.b","ca":"b5bb9d80","proxy":null,"previous":null}"#;

    #[test]
    fn a_record_is_the_same_after_it_was_written_and_read() {
        let secret = "quo\"te \\ back / <&>";
        let json = to_json(&record(secret, Some(key("old", "older")))).unwrap();
        let read = from_json(&json).unwrap();
        assert_eq!(read.key.credential.client_secret.expose(), secret);
        assert_eq!(read.key.credential.client_id, "app");
        assert_eq!(read.key.credential.endpoint(), Some("https://a.b/x"));
        assert_eq!(read.key.key_id.as_deref(), Some("k-1"));
        assert_eq!(read.key.key_name, None);
        assert_eq!(
            read.key.created_at.since_epoch(),
            Duration::from_secs(1_700_000_000)
        );
        assert_eq!(read.binding, record("x", None).binding);
        let previous = read.previous.unwrap();
        assert_eq!(previous.credential.client_secret.expose(), "older");
        assert_eq!(previous.credential.endpoint(), Some("https://a.b/x"));
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
            "version": 2, "client_id": "app", "client_secret": "s3", "key_id": "k-1", "key_name": null,
            "created_at": 1_700_000_000_u64, "provider": "runai", "endpoint": "https://a.b/x", "origin": "https://a.b",
            "ca": null, "proxy": "http://p:1",
            "previous": {"client_id": "old", "client_secret": "s2", "key_id": "k-1", "key_name": null, "created_at": 1_700_000_000_u64},
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn a_ca_file_is_stored_as_the_hashes_of_its_certificates() {
        let mut record = record("x", None);
        record.binding.ca = Ca::Set(vec!["aa".into(), "bb".into()]);
        let json = to_json(&record).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(value["ca"], serde_json::json!(["aa", "bb"]));
        let read = from_json(&json).unwrap();
        assert_eq!(read.binding, record.binding);
        assert_eq!(read.key.credential.ca(), Some(&record.binding.ca));
        record.binding.ca = Ca::Set(vec!["a".repeat(64); crate::certificates::MAX_CERTIFICATES]);
        assert!(from_json(&to_json(&record).unwrap()).is_ok());
    }

    #[test]
    fn a_record_of_version_1_is_read_and_stays_one() {
        let read = from_json(FORMER.as_bytes()).unwrap();
        let bound = Bound::Origin("https://a.b".into());
        assert_eq!(read.binding.bound, bound);
        assert_eq!(read.binding.ca, Ca::Bytes("b5bb9d80".into()));
        assert_eq!(read.key.credential.endpoint(), Some("https://a.b"));
        let value = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).unwrap();
        let mut former = value(FORMER.as_bytes());
        // What the former version writes: fields that have no value are there all the same, but for the previous key.
        former.as_object_mut().unwrap().remove("previous");
        former["key_name"] = serde_json::Value::Null;
        assert_eq!(value(&to_json(&read).unwrap()), former);
    }

    #[test]
    fn a_credential_that_another_machine_has_as_well_is_marked() {
        let mut marked = record("x", None);
        marked.key.credential = marked.key.credential.shared(true);
        let json = to_json(&marked).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(value["shared"], serde_json::json!(true));
        assert!(from_json(&json).unwrap().key.credential.is_shared());
        let plain = to_json(&record("x", None)).unwrap();
        assert!(!from_json(&plain).unwrap().key.credential.is_shared());
        assert!(!marked.is_same_as(&record("x", None)));
        assert!(record("x", None).is_same_as(&record("x", None)));
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
        let later = r#"{"client_secret": ["canary"], "version": 3}"#;
        assert!(fault(later).contains("of version 3"), "{}", fault(later));
    }

    #[test]
    fn no_message_quotes_the_record() {
        for (from, to) in [
            ("\"version\":2", "\"version\":\"canary\""),
            ("\"version\":2,", ""),
            ("\"endpoint\":\"https://a.b/x\"", "\"endpoint\":\"canary\""),
            (
                "\"endpoint\":\"https://a.b/x\"",
                "\"endpoint\":\"https://canary/x\"",
            ),
            ("\"endpoint\":\"https://a.b/x\",", ""),
            ("\"provider\":\"runai\",", ""),
            ("\"ca\":null", "\"ca\":\"canary\""),
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
