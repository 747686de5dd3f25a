//! Parses a token request as the control plane does: its fields and its credential.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::endpoint::Api;
use super::line::Line;
use crate::credential::Credential;

/// The reason why no token is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The endpoint does not accept this content type.
    ContentType,
    /// The body is invalid: not a JSON object of texts, or a form with a repeated parameter (RFC 6749 section 3.2).
    Unreadable,
    /// A required parameter is missing.
    Missing,
    /// The endpoint does not have this grant.
    UnsupportedGrant,
    /// The client authentication failed.
    Client,
}

/// The content of a token request.
#[derive(Debug)]
pub(super) struct Reading {
    /// The names of the body's fields as they were spelled; see [`presentable`].
    pub(super) field_names: Vec<String>,
    /// The credential to check.
    pub(super) credential: Result<Credential, Refusal>,
}

/// Parses the body of a token request.
pub(super) fn read(line: Line, api: Api, content_type: Option<&str>, body: &[u8]) -> Reading {
    let expected = match api {
        Api::V1 => "application/json",
        Api::V2 => "application/x-www-form-urlencoded",
    };
    // both endpoints ignore parameters such as `; charset=utf-8`
    let media_type = content_type.and_then(|value| value.split(';').next());
    if !media_type.is_some_and(|given| given.trim().eq_ignore_ascii_case(expected)) {
        return Reading {
            field_names: Vec::new(),
            credential: Err(Refusal::ContentType),
        };
    }
    match api {
        Api::V1 => read_json(line, body),
        Api::V2 => read_form(body),
    }
}

/// Parses a JSON request. Field names match in any case, because all of these are in use: `clientID` in the vendor's
/// reference, `clientId` in its guides, and `AppId` in its Python client.
fn read_json(line: Line, body: &[u8]) -> Reading {
    let Ok(object) = serde_json::from_slice::<Map<String, Value>>(body) else {
        return Reading {
            field_names: Vec::new(),
            credential: Err(Refusal::Unreadable),
        };
    };
    let field_names = object.keys().map(|name| presentable(name)).collect();
    let mut fields = HashMap::new();
    let mut readable = true;
    for (name, value) in object {
        match value {
            Value::String(text) => drop(fields.insert(name.to_ascii_lowercase(), text)),
            Value::Null => {}
            _ => readable = false,
        }
    }
    let keys = match fields.get("granttype").map(String::as_str) {
        _ if !readable => Err(Refusal::Unreadable),
        Some("client_credentials") if line.v1_takes_client_credentials() => {
            Ok(("clientid", "clientsecret"))
        }
        Some("app_token") if line.takes_app_token() => Ok(("appid", "appsecret")),
        None | Some("") => Err(Refusal::Missing),
        Some(_) => Err(Refusal::UnsupportedGrant),
    };
    Reading {
        field_names,
        credential: keys.and_then(|(id, secret)| credential(&fields, id, secret)),
    }
}

fn read_form(body: &[u8]) -> Reading {
    let mut field_names = Vec::new();
    let mut fields = HashMap::new();
    let mut readable = true;
    for (name, value) in url::form_urlencoded::parse(body) {
        field_names.push(presentable(&name));
        readable &= fields
            .insert(name.into_owned(), value.into_owned())
            .is_none();
    }
    let credential = match fields.get("grant_type").map(String::as_str) {
        _ if !readable => Err(Refusal::Unreadable),
        Some("client_credentials") => credential(&fields, "client_id", "client_secret"),
        None | Some("") => Err(Refusal::Missing),
        Some(_) => Err(Refusal::UnsupportedGrant),
    };
    Reading {
        field_names,
        credential,
    }
}

fn credential(
    fields: &HashMap<String, String>,
    id: &str,
    secret: &str,
) -> Result<Credential, Refusal> {
    let field = |name: &str| fields.get(name).filter(|value| !value.is_empty());
    let (Some(id), Some(secret)) = (field(id), field(secret)) else {
        return Err(Refusal::Missing);
    };
    Credential::parse(id, secret).map_err(|_| Refusal::Client)
}

/// Returns the name of a field, or a replacement if it does not look like one. JSON that is posted as a form arrives
/// as one long name that contains the secret, and records of requests must not keep secrets.
fn presentable(name: &str) -> String {
    let looks_like_a_name =
        name.len() <= 32 && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
    if looks_like_a_name {
        name
    } else {
        "(not a name)"
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: Option<&str> = Some("application/json");
    const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

    fn v1(body: &str) -> Result<String, Refusal> {
        let reading = read(Line::V2_24, Api::V1, JSON, body.as_bytes());
        reading
            .credential
            .map(|c| format!("{}/{}", c.client_id, c.client_secret.expose()))
    }

    fn v2(body: &str) -> Result<String, Refusal> {
        let reading = read(Line::V2_24, Api::V2, FORM, body.as_bytes());
        reading
            .credential
            .map(|c| format!("{}/{}", c.client_id, c.client_secret.expose()))
    }

    #[test]
    fn every_spelling_of_the_vendor_documentation_is_accepted() {
        for body in [
            r#"{"grantType":"client_credentials","clientID":"i","clientSecret":"s"}"#,
            r#"{"grantType":"client_credentials","clientId":"i","clientSecret":"s"}"#,
            r#"{"GRANTTYPE":"client_credentials","CLIENTID":"i","CLIENTSECRET":"s","code":null}"#,
            r#"{"grantType":"app_token","AppId":"i","AppSecret":"s"}"#,
            r#"{"grantType":"app_token","appID":"i","appSecret":"s"}"#,
        ] {
            assert_eq!(v1(body).as_deref(), Ok("i/s"), "{body}");
        }
        assert_eq!(
            v2("grant_type=client_credentials&client_id=i%2B1&client_secret=a+b%26").as_deref(),
            Ok("i+1/a b&")
        );
    }

    #[test]
    fn each_release_accepts_the_grants_of_its_documentation() {
        for line in Line::ALL {
            for (body, taken) in [
                (
                    r#"{"grantType":"client_credentials","clientID":"i","clientSecret":"s"}"#,
                    line != Line::V2_18,
                ),
                (
                    r#"{"grantType":"app_token","appID":"i","appSecret":"s"}"#,
                    line != Line::V3_0,
                ),
            ] {
                let reading = read(line, Api::V1, JSON, body.as_bytes());
                let refusal = reading.credential.map(|_| ()).err();
                let expected = (!taken).then_some(Refusal::UnsupportedGrant);
                assert_eq!(refusal, expected, "{line} {body}");
            }
        }
    }

    #[test]
    fn each_fault_of_a_token_request_is_reported() {
        for (body, refusal) in [
            ("", Refusal::Unreadable),
            ("[]", Refusal::Unreadable),
            (
                r#"{"grantType":"client_credentials","clientID":7}"#,
                Refusal::Unreadable,
            ),
            ("{}", Refusal::Missing),
            (r#"{"grantType":"client_credentials"}"#, Refusal::Missing),
            (
                r#"{"grantType":"client_credentials","clientID":"i","clientSecret":""}"#,
                Refusal::Missing,
            ),
            (
                r#"{"grantType":"app_token","clientID":"i","clientSecret":"s"}"#,
                Refusal::Missing,
            ),
            (
                r#"{"grantType":"password","username":"i","password":"s"}"#,
                Refusal::UnsupportedGrant,
            ),
            (
                r#"{"grantType":"client_credentials","clientID":"i","clientSecret":"\n"}"#,
                Refusal::Client,
            ),
        ] {
            assert_eq!(v1(body), Err(refusal), "{body}");
        }
        for (body, refusal) in [
            ("", Refusal::Missing),
            (
                "grant_type=client_credentials&client_id=i",
                Refusal::Missing,
            ),
            (
                "grant_type=client_credentials&client_id=i&client_id=i&client_secret=s",
                Refusal::Unreadable,
            ),
            (
                "grant_type=app_token&client_id=i&client_secret=s",
                Refusal::UnsupportedGrant,
            ),
        ] {
            assert_eq!(v2(body), Err(refusal), "{body}");
        }
    }

    #[test]
    fn the_content_type_must_match_the_endpoint_and_may_have_parameters() {
        let of = |api, content_type| {
            read(Line::V2_24, api, content_type, b"{}")
                .credential
                .unwrap_err()
        };
        assert_eq!(
            of(Api::V1, Some("Application/JSON; charset=utf-8")),
            Refusal::Missing
        );
        for (api, wrong) in [
            (Api::V1, FORM),
            (Api::V2, JSON),
            (Api::V1, None),
            (Api::V1, Some("application/json5")),
        ] {
            assert_eq!(of(api, wrong), Refusal::ContentType);
        }
    }

    #[test]
    fn a_secret_sent_as_a_member_name_is_not_recorded() {
        let body = br#"{"grantType":"client_credentials","clientSecret":"canary"}"#;
        let reading = read(Line::V2_24, Api::V2, FORM, body);
        assert_eq!(reading.field_names, ["(not a name)"]);
        assert!(!format!("{reading:?}").contains("canary"));
    }
}
