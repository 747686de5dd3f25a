//! Parses lists of keys, and finds keys in them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::kind::Family;
use super::time;

/// The maximum length of an ID, in characters. A UUID has 36.
const MAX_ID: usize = 128;

/// A key in a list, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The server's ID of the key, which is not the client ID. It is safe in a path.
    pub id: String,
    /// The key's name, as the server sends it: it may have any character.
    pub name: String,
    /// The client ID. For a server that does not send one (2.18), it is the name.
    pub client_id: String,
    /// When the key was created, in Unix seconds, if the server sends it.
    pub created_at: Option<u64>,
    /// When the key last got a token, in Unix seconds. `None` if the key was never used or the server does not send
    /// it.
    pub last_login: Option<u64>,
    /// The user that created the key, if the list covers several users.
    pub created_by: Option<String>,
    /// Whether the key can be used, if the server sends it.
    pub enabled: Option<bool>,
}

/// The result of a search for a person's text in a list.
#[derive(Debug, PartialEq, Eq)]
pub enum KeyMatch<'a> {
    /// The one key of this ID, client ID or name.
    One(&'a Application),
    /// Several keys of this name or client ID.
    Several(Vec<&'a Application>),
    /// Nothing.
    Nothing,
}

/// Finds a key by its ID, else by its client ID, else by its name.
pub fn find<'a>(keys: &'a [Application], text: &str) -> KeyMatch<'a> {
    let by: [fn(&Application) -> &str; 3] = [
        |key| key.id.as_str(),
        |key| key.client_id.as_str(),
        |key| key.name.as_str(),
    ];
    for of in by {
        let found: Vec<_> = keys.iter().filter(|key| of(key) == text).collect();
        match found.as_slice() {
            [] => {}
            [one] => return KeyMatch::One(one),
            _ => return KeyMatch::Several(found),
        }
    }
    KeyMatch::Nothing
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    client_id: Option<Cow<'a, str>>,
    created_at: Option<Cow<'a, str>>,
    last_login: Option<Cow<'a, str>>,
    created_by: Option<Cow<'a, str>>,
    enabled: Option<bool>,
}

/// Parses the list in an answer of this family; `None` if it is not one. A key whose ID is unsafe in a path
/// invalidates the whole answer: deletions depend on the list, so it must be beyond doubt.
pub(super) fn parse(family: Family, body: &[u8]) -> Option<Vec<Application>> {
    let items = match family.wrapper() {
        Some(wrapper) => {
            let members: std::collections::BTreeMap<Cow<'_, str>, &RawValue> =
                serde_json::from_slice(body).ok()?;
            serde_json::from_str(members.get(wrapper)?.get()).ok()?
        }
        None => serde_json::from_slice::<Vec<Item<'_>>>(body).ok()?,
    };
    items.into_iter().map(application).collect()
}

/// Parses an answer with one key.
pub(super) fn parse_one(body: &[u8]) -> Option<Application> {
    application(serde_json::from_slice(body).ok()?)
}

fn application(item: Item<'_>) -> Option<Application> {
    if !is_id(&item.id) || item.name.is_empty() {
        return None;
    }
    let seconds = |date: Option<Cow<'_, str>>| time::seconds(&date?);
    let client_id = item.client_id.filter(|id| !id.is_empty());
    Some(Application {
        client_id: client_id.as_ref().unwrap_or(&item.name).to_string(),
        id: item.id.into_owned(),
        name: item.name.into_owned(),
        created_at: seconds(item.created_at),
        last_login: seconds(item.last_login),
        created_by: item.created_by.map(Cow::into_owned),
        enabled: item.enabled,
    })
}

/// Returns whether an ID is safe as one segment of a path.
pub(super) fn is_id(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    (1..=MAX_ID).contains(&text.len())
        && text.bytes().all(is_plain)
        && text.bytes().any(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, client_id: &str, name: &str) -> Application {
        Application {
            id: id.into(),
            name: name.into(),
            client_id: client_id.into(),
            created_at: None,
            last_login: None,
            created_by: None,
            enabled: None,
        }
    }

    #[test]
    fn each_key_family_accepts_only_its_own_list_format() {
        let item = r#"{"id":"1","name":"a","clientId":"c","createdAt":"2025-01-02T03:04:05Z","lastLogin":null,"createdBy":"u@x","later":{}}"#;
        let bare = format!("[{item}]");
        let wrapped = format!(r#"{{"accessKeys":[{item}]}}"#);
        for (family, good, bad) in [
            (Family::AccessKeys, &wrapped, &bare),
            (Family::AllAccessKeys, &wrapped, &bare),
            (Family::UserApplications, &bare, &wrapped),
            (Family::AllUserApplications, &bare, &wrapped),
            (Family::ServiceAccounts, &bare, &wrapped),
            (Family::Applications, &bare, &wrapped),
        ] {
            let list = parse(family, good.as_bytes()).unwrap();
            let expected = Application {
                created_at: Some(1_735_787_045),
                created_by: Some("u@x".into()),
                ..key("1", "c", "a")
            };
            assert_eq!(list, [expected], "{family:?}");
            assert_eq!(parse(family, bad.as_bytes()), None, "{family:?}");
        }
        let old = parse(Family::Applications, br#"[{"id":"1","name":"My App."}]"#);
        assert_eq!(old.unwrap(), [key("1", "My App.", "My App.")]);
    }

    #[test]
    fn a_malformed_key_list_is_not_parsed_as_an_empty_list() {
        for bad in [
            "",
            "null",
            "{}",
            "[null]",
            "[1]",
            "\"x\"",
            "<html></html>",
            r#"{"code":200,"message":"x"}"#,
            r#"[{"id":"1"}]"#,
            r#"[{"name":"a"}]"#,
            r#"[{"id":"","name":"a"}]"#,
            r#"[{"id":"..","name":"a"}]"#,
            r#"[{"id":"a/b","name":"a"}]"#,
            r#"[{"id":"a%2fb","name":"a"}]"#,
            r#"[{"id":1,"name":"a"}]"#,
            r#"[{"id":"1","id":"2","name":"a"}]"#,
            r#"[{"id":"1","name":"a"}"#,
            r#"[{"id":"1","name":"a"}][]"#,
        ] {
            assert_eq!(
                parse(Family::UserApplications, bad.as_bytes()),
                None,
                "{bad}"
            );
            let wrapped = format!(r#"{{"accessKeys":{bad}}}"#);
            assert_eq!(parse(Family::AccessKeys, wrapped.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse(Family::UserApplications, b"[]"), Some(vec![]));
        assert_eq!(
            parse(Family::AccessKeys, br#"{"accessKeys":[]}"#),
            Some(vec![])
        );
    }

    #[test]
    fn a_list_of_ten_thousand_keys_is_parsed() {
        let items: Vec<_> = (0..10_000)
            .map(|n| format!(r#"{{"id":"{n}","name":"k{n}","clientId":"c{n}"}}"#))
            .collect();
        let list = parse(
            Family::AllUserApplications,
            format!("[{}]", items.join(",")).as_bytes(),
        );
        assert_eq!(list.unwrap().len(), 10_000);
    }

    #[test]
    fn a_key_is_found_by_id_client_id_or_name_and_ambiguity_is_reported() {
        let keys = [
            key("1", "c1", "a"),
            key("2", "c2", "a"),
            key("3", "a1", "1"),
            key("4", "x", "c1"),
        ];
        for (text, id) in [
            ("1", "1"),
            ("c1", "1"),
            ("c2", "2"),
            ("a1", "3"),
            ("x", "4"),
        ] {
            assert!(
                matches!(find(&keys, text), KeyMatch::One(key) if key.id == id),
                "{text}"
            );
        }
        assert!(matches!(find(&keys, "a"), KeyMatch::Several(found) if found.len() == 2));
        for text in ["", "A", "5", "c"] {
            assert_eq!(find(&keys, text), KeyMatch::Nothing, "{text}");
        }
    }
}
