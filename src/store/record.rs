//! The record of a profile, and its JSON. Its secrets are only in memory that is wiped, and no message quotes the text.

use serde::Serialize;
use zeroize::Zeroizing;

use super::fixed_buffer::FixedBuffer;
use super::{Binding, BoundTarget};
use crate::credential::Ca;
use crate::instant::UnixTime;

mod key;
mod read;
mod rotation;
mod steps;

pub use key::Key;
pub(super) use read::from_json;
pub use rotation::{BegunRotation, OtherKey, RotationId};
pub use steps::ReceivedAt;

/// The version of a record whose key is being rotated, and the newest one. `rotation_id`, `next` and `previous` are new
/// in it. A program that does not know them must refuse the record.
pub(super) const VERSION: u64 = 3;

/// The version of every other record. `endpoint`, `provider`, and a `ca` with a hash for each certificate are new in
/// it.
const SETTLED_VERSION: u64 = 2;

/// The former version, which is still read. Of the address it has only the `origin`, and its `ca` is the hash of the CA
/// file's bytes.
const FORMER_VERSION: u64 = 1;

/// The largest record, in bytes: two credentials of the greatest length, with every character escaped, take a fifth.
pub(super) const MAX_LEN: usize = 64 * 1024;

/// The stored data of a profile.
#[derive(Debug)]
pub struct Record {
    /// The key in use.
    pub key: Key,
    /// The endpoint, certificates and proxy that the credential was enrolled for.
    pub binding: Binding,
    /// The unfinished rotation of the key.
    pub rotation: Option<BegunRotation>,
}

impl Record {
    /// Whether both would be stored as the same bytes.
    pub fn is_same_as(&self, other: &Self) -> bool {
        to_json(self) == to_json(other)
    }
}

/// Writes the record's JSON. `None` if it would be larger than [`MAX_LEN`], or if a record of the former version has a
/// rotation.
pub(super) fn to_json(record: &Record) -> Option<Zeroizing<Vec<u8>>> {
    // Allocated at the largest size, so that no growth leaves a copy behind.
    let mut json = Zeroizing::new(Vec::with_capacity(MAX_LEN));
    if matches!(record.binding.bound, BoundTarget::Origin(_)) && record.rotation.is_some() {
        return None;
    }
    let origin = record.binding.origin();
    // A record of the former version keeps that version: the fields that it lacks cannot be made up.
    let (version, provider, endpoint) = match &record.binding.bound {
        BoundTarget::Origin(_) => (FORMER_VERSION, None, None),
        BoundTarget::Endpoint { provider, endpoint } => {
            let version = match record.rotation {
                Some(_) => VERSION,
                None => SETTLED_VERSION,
            };
            (version, Some(provider.as_str()), Some(endpoint.as_str()))
        }
    };
    let rotation = record.rotation.as_ref();
    let other = rotation.and_then(|rotation| rotation.other.as_ref());
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
        rotation_id: rotation.map(|rotation| rotation.id.as_str()),
        next: other.and_then(OtherKey::next).map(WrittenKey::of),
        previous: other.and_then(OtherKey::previous).map(WrittenKey::of),
    };
    let room = FixedBuffer::new(&mut json, MAX_LEN);
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
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<WrittenKey<'a>>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    server_date: Option<u64>,
    /// Written only if true: an earlier program ignores it.
    #[serde(skip_serializing_if = "is_false")]
    shared: bool,
}

impl<'a> WrittenKey<'a> {
    fn of(key: &'a Key) -> Self {
        Self {
            client_id: &key.credential.client_id,
            client_secret: key.credential.client_secret.expose(),
            key_id: key.key_id.as_deref(),
            key_name: key.key_name.as_deref(),
            created_at: key.created_at.seconds_down(),
            server_date: key.server_date.map(UnixTime::seconds_down),
            shared: key.credential.is_shared(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use url::Url;

    use super::*;
    use crate::credential::Credential;

    fn key(id: &str, secret: &str) -> Key {
        Key {
            credential: Credential::parse(id, secret).unwrap(),
            key_id: Some("k-1".into()),
            key_name: None,
            created_at: UnixTime::from_epoch(Duration::from_millis(1_700_000_000_500)),
            server_date: None,
        }
    }

    fn id() -> RotationId {
        RotationId::of(7)
    }

    /// A record whose key is being rotated if `other` is given.
    fn record(secret: &str, other: Option<OtherKey>) -> Record {
        Record {
            key: key("app", secret),
            binding: Binding {
                bound: BoundTarget::Endpoint {
                    provider: "runai".into(),
                    endpoint: Url::parse("https://a.b/x").unwrap(),
                },
                issuer: None,
                ca: Ca::System,
                proxy: Some("http://p:1".into()),
            },
            rotation: other.map(|other| BegunRotation {
                id: id(),
                other: Some(other),
            }),
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
    fn a_written_record_reads_back_unchanged() {
        let secret = "quo\"te \\ back / <&>";
        let old = OtherKey::Previous(key("old", "older"));
        let json = to_json(&record(secret, Some(old))).unwrap();
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
        assert_eq!(read.rotation_id(), Some(&id()));
        let rotation = read.rotation.unwrap();
        let previous = rotation
            .other
            .as_ref()
            .and_then(OtherKey::previous)
            .unwrap();
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
                .rotation
                .is_none()
        );
    }

    #[test]
    fn the_record_on_disk_has_the_documented_form() {
        let value = |record: &Record| -> serde_json::Value {
            serde_json::from_slice(&to_json(record).unwrap()).unwrap()
        };
        let mut expected = serde_json::json!({
            "version": 2, "client_id": "app", "client_secret": "s3", "key_id": "k-1", "key_name": null,
            "created_at": 1_700_000_000_u64, "provider": "runai", "endpoint": "https://a.b/x", "origin": "https://a.b",
            "ca": null, "proxy": "http://p:1",
        });
        assert_eq!(value(&record("s3", None)), expected);
        let mut dated = record("s3", None);
        dated.key.server_date = Some(UnixTime::from_epoch(Duration::from_secs(9)));
        expected["server_date"] = 9.into();
        assert_eq!(value(&dated), expected);
        expected["version"] = 3.into();
        expected["rotation_id"] = "00000000000000000000000000000007".into();
        dated.rotation = Some(BegunRotation {
            id: id(),
            other: None,
        });
        assert_eq!(value(&dated), expected);
        let mut other = key("other", "s2");
        other.credential = other.credential.shared(true);
        dated.rotation = Some(BegunRotation {
            id: id(),
            other: Some(OtherKey::Next(other)),
        });
        expected["next"] = serde_json::json!({"client_id": "other", "client_secret": "s2", "key_id": "k-1", "key_name": null, "created_at": 1_700_000_000_u64, "shared": true});
        assert_eq!(value(&dated), expected);
        let now = expected["next"].clone();
        let names = [
            "client_id",
            "client_secret",
            "key_id",
            "key_name",
            "created_at",
            "server_date",
        ];
        expected.as_object_mut().unwrap().remove("next");
        let former: serde_json::Map<_, _> = names
            .map(|name| (name.to_owned(), expected[name].take()))
            .into_iter()
            .collect();
        expected.as_object_mut().unwrap().remove("server_date");
        expected
            .as_object_mut()
            .unwrap()
            .extend(now.as_object().unwrap().clone());
        expected["previous"] = former.into();
        let switched = dated.switched().unwrap();
        assert_eq!(value(&switched), expected);
        let settled = value(&switched.settled());
        assert_eq!(
            (
                &settled["version"],
                settled.get("previous"),
                settled.get("rotation_id")
            ),
            (&serde_json::json!(2), None, None)
        );
    }

    #[test]
    fn server_date_and_shared_mark_of_both_keys_read_back_unchanged() {
        let mut old = key("old", "older");
        old.credential = old.credential.shared(true);
        old.server_date = Some(UnixTime::from_epoch(Duration::from_secs(3)));
        let json = to_json(&record("x", Some(OtherKey::Previous(old)))).unwrap();
        let read = from_json(&json).unwrap();
        assert!(!read.key.credential.is_shared() && read.key.server_date.is_none());
        let old = read.other_key().unwrap();
        assert!(old.credential.is_shared());
        assert_eq!(old.server_date.map(UnixTime::seconds_down), Some(3));
        assert!(read.needs("old") && read.needs("app") && !read.needs("other"));
    }

    #[test]
    fn a_renewed_record_keeps_the_former_secret() {
        let secret = |text| crate::credential::ClientSecret::parse(text).unwrap();
        let seen = ReceivedAt {
            at: UnixTime::from_epoch(Duration::from_secs(5)),
            server_date: None,
        };
        let mut former = record("s1", None);
        former.key.server_date = Some(UnixTime::from_epoch(Duration::from_secs(9)));
        let renewed = former.renewed(id(), secret("s2"), seen).unwrap();
        let renewed = from_json(&to_json(&renewed).unwrap()).unwrap();
        assert_eq!(renewed.key.credential.client_secret, secret("s2"));
        assert_eq!(renewed.key.credential.endpoint(), Some("https://a.b/x"));
        assert_eq!(
            (renewed.key.key_id.as_deref(), renewed.key.created_at),
            (Some("k-1"), seen.at)
        );
        let dates = renewed.other_key().map(|key| key.server_date);
        assert_eq!(dates, Some(renewed.key.server_date));
        let other = renewed.other_key().unwrap();
        assert_eq!(other.credential.client_secret, secret("s1"));
        assert_eq!(other.credential.client_id, renewed.key.credential.client_id);
        let settled = renewed.settled();
        assert!(settled.rotation.is_none());
        let read = from_json(FORMER.as_bytes()).unwrap();
        assert!(read.renewed(id(), secret("s2"), seen).is_none());
    }

    #[test]
    fn a_version_1_record_cannot_be_rotated() {
        let read = from_json(FORMER.as_bytes()).unwrap();
        assert!(read.rotating(id(), None).is_none());
        let mut read = from_json(FORMER.as_bytes()).unwrap();
        read.rotation = Some(BegunRotation {
            id: id(),
            other: None,
        });
        assert!(to_json(&read).is_none());
    }

    #[test]
    fn a_record_with_an_inconsistent_rotation_is_refused() {
        let json = to_json(&record("x", Some(OtherKey::Next(key("new", "canary"))))).unwrap();
        let good: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let fault = |change: fn(&mut serde_json::Value)| {
            let mut bad = good.clone();
            change(&mut bad);
            assert_ne!(bad, good);
            let text = fault(&bad.to_string());
            assert!(
                text.contains("not a credential's record") && !text.contains("canary"),
                "{text}"
            );
        };
        fault(|bad| bad["rotation_id"] = "canary".into());
        fault(|bad| bad["rotation_id"] = "0000000000000000000000000000000A".into());
        fault(|bad| bad["rotation_id"] = serde_json::Value::Null);
        fault(|bad| bad["previous"] = bad["next"].clone());
        fault(|bad| bad["next"]["client_secret"] = serde_json::Value::Null);
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
    fn a_version_1_record_is_read_and_written_back_as_version_1() {
        let read = from_json(FORMER.as_bytes()).unwrap();
        let bound = BoundTarget::Origin("https://a.b".into());
        assert_eq!(read.binding.bound, bound);
        assert_eq!(read.binding.ca, Ca::Bytes("b5bb9d80".into()));
        assert_eq!(read.key.credential.endpoint(), Some("https://a.b"));
        let value = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).unwrap();
        let mut former = value(FORMER.as_bytes());
        // A record as the former version writes it: all fields, even without a value, except for the previous key.
        former.as_object_mut().unwrap().remove("previous");
        former["key_name"] = serde_json::Value::Null;
        assert_eq!(value(&to_json(&read).unwrap()), former);
    }

    #[test]
    fn a_credential_shared_with_another_machine_is_marked() {
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
    fn a_record_of_a_discovered_endpoint_contains_its_issuer() {
        let mut discovered = record("x", None);
        discovered.binding.issuer = Some("https://idp.example/".into());
        let json = to_json(&discovered).unwrap();
        assert_eq!(from_json(&json).unwrap().binding, discovered.binding);
    }

    #[test]
    fn the_longest_credentials_fit_and_larger_records_are_refused() {
        let longest = "\"".repeat(crate::credential::MAX_CREDENTIAL_LEN);
        let both = record(&longest, Some(OtherKey::Next(key(&longest, &longest))));
        assert!(from_json(&to_json(&both).unwrap()).is_ok());
        let mut huge = record("x", None);
        huge.key.key_name = Some("x".repeat(MAX_LEN));
        assert!(to_json(&huge).is_none());
    }

    #[test]
    fn unknown_fields_are_ignored_and_a_later_version_is_reported() {
        assert!(from_json(GOOD.as_bytes()).is_ok());
        let later = r#"{"client_secret": ["canary"], "version": 4}"#;
        assert!(fault(later).contains("of version 4"), "{}", fault(later));
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
