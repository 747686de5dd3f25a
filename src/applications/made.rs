//! The answers to a creation and a regeneration, parsed into types that cannot be printed.

use zeroize::Zeroizing;

use super::error::ApiError;
use super::list::is_id;
use crate::credential::{ClientSecret, RawAnswer};
use crate::instant::UnixTime;

/// A new key.
#[derive(Debug)]
pub struct CreatedKey {
    /// The server's ID of the key.
    pub id: String,
    /// The client ID.
    pub client_id: String,
    /// The secret, which the server never shows again.
    pub secret: ClientSecret,
    /// The server's clock at the answer, if it was sent.
    pub server_date: Option<UnixTime>,
}

/// The answer to a regeneration. The former secret is revoked.
#[derive(Debug)]
pub struct RegeneratedKey {
    /// The new secret, or why the answer has none that can be used.
    pub secret: Result<ClientSecret, ApiError>,
    /// The raw answer: it may hold the secret, which the server never shows again.
    pub raw: RawAnswer,
}

/// Returns the new secret in a kept answer.
pub fn secret_of(answer: &RawAnswer) -> Option<ClientSecret> {
    secret(answer.expose())
}

/// The members of an answer that can be a secret.
pub(super) const SECRET_MEMBERS: [&str; 3] = ["clientSecret", "secret", "client_secret"];

/// Returns the text of this member of an answer, which is one JSON object.
pub(super) fn text(body: &[u8], name: &str) -> Option<Zeroizing<String>> {
    let members: std::collections::BTreeMap<String, &serde_json::value::RawValue> =
        serde_json::from_slice(body).ok()?;
    let text: String = serde_json::from_str(members.get(name)?.get()).ok()?;
    Some(Zeroizing::new(text)).filter(|text| !text.is_empty())
}

/// Returns the secret in an answer. Its member has different names in different families and lines.
pub(super) fn secret(body: &[u8]) -> Option<ClientSecret> {
    let mut found = SECRET_MEMBERS.iter().filter_map(|name| text(body, name));
    ClientSecret::parse(&found.next()?).ok()
}

/// Returns the ID of the new key, even if the rest of the answer cannot be used.
pub(super) fn id(body: &[u8]) -> Option<String> {
    let id = text(body, "id").filter(|id| is_id(id))?;
    Some(id.as_str().to_owned())
}

/// Returns the client ID of the new key. For a server that does not send one (2.18), it is the name.
pub(super) fn client_id(body: &[u8]) -> Option<String> {
    let id = text(body, "clientId").or_else(|| text(body, "name"))?;
    Some(id.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_created_secret_is_read_under_both_field_names_and_never_printed() {
        for body in [
            r#"{"id":"1","clientId":"c","name":"a","secret":"s3cr-et"}"#,
            r#"{"id":"1","clientId":"c","name":"a","clientSecret":"s3cr-et"}"#,
            r#"{"clientSecret":"s3cr-et"}"#,
        ] {
            let secret = secret(body.as_bytes()).unwrap();
            assert_eq!(secret, ClientSecret::parse("s3cr-et").unwrap());
            assert!(!format!("{secret:?}").contains("s3cr"));
        }
        assert_eq!(client_id(br#"{"id":"1","name":"a"}"#).unwrap(), "a");
        let kept = secret_of(&RawAnswer::of(br#"{"clientSecret":"s3cr-et"}"#));
        assert_eq!(kept, Some(ClientSecret::parse("s3cr-et").unwrap()));
    }

    #[test]
    fn a_response_without_a_usable_secret_still_yields_the_key_id() {
        for rest in [
            "",
            r#","secret":"""#,
            r#","secret":null"#,
            r#","clientSecret":7"#,
            r#","clientSecret":"a\u0000b""#,
        ] {
            let body = format!(r#"{{"id":"1"{rest}}}"#);
            assert!(secret(body.as_bytes()).is_none(), "{body}");
            assert_eq!(id(body.as_bytes()).unwrap(), "1");
        }
        for bad in ["", "null", "[]", r#"{"id":"../x"}"#, r#"{"id":""}"#] {
            assert_eq!(id(bad.as_bytes()), None, "{bad}");
        }
    }
}
