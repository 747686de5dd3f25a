use std::time::Duration;

use url::Url;

use super::*;
use crate::config;
use crate::credential::Credential;
use crate::instant::UnixTime;
use crate::profile::ProfileName;
use crate::store::Key;
use crate::testing::FewNames;

fn exported(text: &str, ca: Option<String>, endpoint: &str) -> ExportedProfile {
    let config = config::parse(&format!("[profiles.a]\n{text}"), &FewNames).unwrap();
    let profile = config.profiles.into_values().next().unwrap();
    let credential = Credential::parse("app", "canary \"\\ <&>").unwrap();
    ExportedProfile {
        provider: profile.provider,
        endpoint: Url::parse(endpoint).unwrap(),
        ca,
        proxy: profile.proxy,
        key: Key {
            credential: credential.shared(true),
            key_id: Some("k-1".into()),
            key_name: None,
            created_at: UnixTime::from_epoch(Duration::from_secs(7)),
            server_date: None,
        },
    }
}

fn all() -> Exported {
    let ca = include_str!("../../tests/fixtures/tls/ca.pem").to_owned();
    let name = |text| ProfileName::parse(text).unwrap();
    Exported::from([
        (
            name("a"),
            exported("provider='runai'\nurl='https://a.b'", None, "https://a.b/"),
        ),
        (
            name("b"),
            exported(
                "provider='oauth2'\nissuer='https://i'\nscope=['x','y']\nextra={t='u'}\nproxy='http://p:1'",
                Some(ca),
                "https://elsewhere/t?x=1",
            ),
        ),
    ])
}

fn json() -> serde_json::Value {
    serde_json::from_slice(&to_json(&all()).unwrap()).unwrap()
}

fn refused(json: &serde_json::Value) -> InvalidContent {
    let error = parse(json.to_string().as_bytes()).unwrap_err();
    assert!(!error.to_string().contains("canary"), "{error}");
    error
}

#[test]
fn an_exported_profile_reads_back_with_its_binding() {
    let json = to_json(&all()).unwrap();
    let read = parse(&json).unwrap();
    assert_eq!(to_json(&read).unwrap(), json);
    for (name, was) in all() {
        let is = &read[&name];
        assert_eq!((&is.provider, &is.proxy), (&was.provider, &was.proxy));
        assert_eq!((&is.endpoint, &is.ca), (&was.endpoint, &was.ca));
        assert_eq!(is.key.credential, was.key.credential);
        assert!(is.key.credential.is_shared());
        assert_eq!(is.key.created_at, was.key.created_at);
    }
}

#[test]
fn the_export_file_has_the_documented_form() {
    let mut value = json();
    let profile = value["profiles"][1].take();
    assert_eq!(value["format"], "jeton-export");
    assert_eq!(value["version"], 1);
    let mut profile = profile.as_object().unwrap().clone();
    assert!(
        profile
            .remove("ca")
            .unwrap()
            .as_str()
            .unwrap()
            .contains("BEGIN CERTIFICATE")
    );
    let expected = serde_json::json!({
        "name": "b", "provider": "oauth2",
        "settings": {"issuer": "https://i", "scope": ["x", "y"], "extra": {"t": "u"}},
        "endpoint": "https://elsewhere/t?x=1", "proxy": "http://p:1",
        "client_id": "app", "client_secret": "canary \"\\ <&>", "key_id": "k-1", "created_at": 7, "shared": true,
    });
    assert_eq!(serde_json::Value::Object(profile), expected);
}

#[test]
fn an_export_file_with_unknown_members_is_refused() {
    for (field, more) in [
        ("allow", serde_json::json!([{"user": "mallory"}])),
        ("hosts", serde_json::json!(["https://x"])),
        (
            "sinks",
            serde_json::json!([{"path": "/etc/x", "format": "raw"}]),
        ),
        ("command", serde_json::json!(["/bin/sh"])),
        ("ca_file", serde_json::json!("/etc/passwd")),
        ("store", serde_json::json!("file")),
        ("keep-warm", serde_json::json!(true)),
    ] {
        let mut of_profile = json();
        of_profile["profiles"][0][field] = more.clone();
        assert_eq!(
            refused(&of_profile),
            InvalidContent::UnknownField(field.into())
        );
        let mut of_file = json();
        of_file[field] = more.clone();
        assert_eq!(
            refused(&of_file),
            InvalidContent::UnknownField(field.into())
        );
        let mut of_settings = json();
        of_settings["profiles"][0]["settings"][field] = more;
        assert!(
            matches!(
                refused(&of_settings),
                InvalidContent::UnknownField(_) | InvalidContent::NotOurs
            ),
            "{field}"
        );
    }
}

#[test]
fn a_fault_in_an_export_file_is_reported_without_values() {
    let set = |path: &str, to: serde_json::Value| {
        let mut value = json();
        *value.pointer_mut(path).unwrap() = to;
        refused(&value)
    };
    assert_eq!(set("/format", "canary".into()), InvalidContent::NotOurs);
    assert_eq!(set("/version", 2.into()), InvalidContent::Version(2));
    assert_eq!(
        set("/profiles", serde_json::json!([])),
        InvalidContent::NotOurs
    );
    assert_eq!(set("/profiles/0/name", "../x".into()), InvalidContent::Name);
    assert_eq!(set("/profiles/0/name", "b".into()), InvalidContent::Name);
    assert_eq!(
        set("/profiles/0/client_secret", 7.into()),
        InvalidContent::NotOurs
    );
    for (path, to, says) in [
        (
            "/profiles/0/provider",
            "other",
            "does not know its provider",
        ),
        ("/profiles/0/settings/url", "http://canary", "https"),
        (
            "/profiles/0/endpoint",
            "https://mallory/",
            "differs from that of its settings",
        ),
        ("/profiles/0/endpoint", "canary", "is not an address"),
        ("/profiles/1/ca", "canary", "CA certificates"),
        ("/profiles/1/proxy", "canary", "proxy"),
        ("/profiles/1/client_id", "", "credential"),
        ("/profiles/1/client_secret", "a\ncanary", "credential"),
    ] {
        let error = set(path, to.into()).to_string();
        assert!(error.contains(says), "{path}: {error}");
    }
    for bad in [&b"canary"[..], b"{}", b"", b"{\"format\":\"jeton-export\"}"] {
        assert_eq!(parse(bad).unwrap_err(), InvalidContent::NotOurs);
    }
    // A field that occurs twice is refused, because programs differ in which one they use.
    let twice = String::from_utf8(to_json(&all()).unwrap().to_vec()).unwrap();
    let twice = twice.replacen("\"client_id\"", "\"client_id\": \"x\",\n\"client_id\"", 1);
    assert_eq!(
        parse(twice.as_bytes()).unwrap_err(),
        InvalidContent::NotOurs
    );
}

#[test]
fn an_imported_value_with_quotes_spaces_or_a_name_around_it_is_refused() {
    for (member, text, around) in [
        ("client_secret", "\"canary\"", "quotes around it"),
        ("client_secret", "canary ", "a space after it"),
        ("client_secret", "CLIENT_SECRET=canary", "a name before it"),
        ("client_id", " app", "a space before it"),
    ] {
        let mut json = json();
        json["profiles"][0][member] = text.into();
        let why = refused(&json).to_string();
        assert!(why.contains(around), "{text}: {why}");
    }
    let mut json = json();
    json["profiles"][0]["client_secret"] = "can'a\"ry=b:c".into();
    assert!(parse(json.to_string().as_bytes()).is_ok());
}
