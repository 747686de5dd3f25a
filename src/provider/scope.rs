//! The scope that a token answer grants (RFC 6749 section 5.1). Issuers write it as words that are separated by spaces
//! or commas, or as a list.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::members::Members;
use super::quote::{TOKEN_MEMBERS, repeats};
use crate::credential::Credential;
use crate::token::Scope;

/// The longest accepted scope, in bytes.
const MAX_SCOPE: usize = 4_096;

/// Returns the granted scope if it differs from the requested one. `None` if the answer does not state it, which means
/// the requested one (RFC 6749 section 5.1), and if the value is not a scope or repeats a secret.
pub(super) fn granted(
    members: &Members<'_>,
    asked: &[String],
    credential: &Credential,
) -> Option<Scope> {
    // Bitbucket uses the plural.
    let scope = members.raw("scope").or_else(|| members.raw("scopes"))?;
    let words = words(scope, asked)?;
    let is_other = words.iter().map(String::as_str).collect::<BTreeSet<_>>()
        != asked.iter().map(String::as_str).collect();
    if words.is_empty() || !is_other {
        return None;
    }
    let granted = words.join(" ");
    let tokens: Vec<_> = TOKEN_MEMBERS
        .into_iter()
        .filter_map(|name| members.text(name))
        .collect();
    if granted.len() > MAX_SCOPE || repeats(&granted, credential, &tokens) {
        return None;
    }
    let missing = asked.iter().filter(|word| {
        // ".default" stands for everything that the client was given; the issuer returns the individual names.
        !words.contains(word) && !word.ends_with("/.default") && *word != ".default"
    });
    let missing: Vec<_> = missing.map(String::as_str).collect();
    Some(Scope {
        granted: granted.into(),
        missing: missing.join(" ").into(),
    })
}

/// Splits a raw scope into its words, without duplicates. `None` if the value is not a scope.
fn words(raw: &str, asked: &[String]) -> Option<Vec<String>> {
    let texts: Vec<String> = match serde_json::from_str::<String>(raw) {
        Ok(text) => vec![text],
        Err(_) => serde_json::from_str(raw).ok()?,
    };
    let texts = Zeroizing::new(texts);
    let mut words: Vec<String> = vec![];
    for word in texts.iter().flat_map(|text| text.split_ascii_whitespace()) {
        // A comma may also be a character of a scope.
        let is_one = asked.iter().any(|asked| asked == word);
        let parts = word.split(|c| c == ',' && !is_one);
        for part in parts.filter(|part| !part.is_empty()) {
            if !part.bytes().all(is_of_scope) {
                return None;
            }
            if !words.iter().any(|word| word == part) {
                words.push(part.to_owned());
            }
        }
    }
    Some(words)
}

/// Reports whether a byte may be in a scope (RFC 6749 section 3.3).
const fn is_of_scope(b: u8) -> bool {
    matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str, asked: &[&str]) -> Option<(String, String)> {
        let members = Members::parse(body.as_bytes()).unwrap();
        let asked: Vec<String> = asked.iter().map(|word| (*word).to_owned()).collect();
        let credential = Credential::parse("id", "canary-secret").unwrap();
        let scope = granted(&members, &asked, &credential)?;
        Some((scope.granted.into(), scope.missing.into()))
    }

    #[test]
    fn no_scope_is_reported_if_it_equals_the_request_or_is_missing() {
        for scope in [
            r#""read write""#,
            r#""write read""#,
            r#""read,write""#,
            r#""write, read""#,
            r#"["write","read"]"#,
            r#"["read write"]"#,
            r#"" read  write write ""#,
            r#""""#,
            r#"" ""#,
            "[]",
            "null",
            "7",
            "{}",
            "true",
            r#"[1,"read"]"#,
            r#""re\u0007ad""#,
            r#""lecture \u00e9crite""#,
            r#""a\\b""#,
        ] {
            let body = format!(r#"{{"access_token":"t","scope":{scope}}}"#);
            assert_eq!(of(&body, &["read", "write"]), None, "{scope}");
        }
        assert_eq!(of(r#"{"access_token":"t"}"#, &["read"]), None);
        // One scope that contains a comma.
        let body = r#"{"access_token":"t","scope":"role:a,b"}"#;
        assert_eq!(of(body, &["role:a,b"]), None);
    }

    #[test]
    fn a_different_granted_scope_is_reported_with_the_missing_part() {
        for (scope, asked, granted, missing) in [
            (r#""read""#, &["read", "write"][..], "read", "write"),
            (r#""read admin""#, &["read", "write"], "read admin", "write"),
            (
                r#""read,write,admin""#,
                &["read", "write"],
                "read write admin",
                "",
            ),
            (r#"["email","profile"]"#, &[], "email profile", ""),
            (r#""READ""#, &["read"], "READ", "read"),
            (
                r#""https://graph.example/User.Read.All""#,
                &["https://graph.example/.default"],
                "https://graph.example/User.Read.All",
                "",
            ),
        ] {
            let body = format!(r#"{{"access_token":"t","scope":{scope}}}"#);
            let told = Some((granted.to_owned(), missing.to_owned()));
            assert_eq!(of(&body, asked), told, "{scope}");
        }
        let body = r#"{"access_token":"t","scopes":"repository account"}"#;
        let told = ("repository account".to_owned(), String::new());
        assert_eq!(of(body, &[]), Some(told));
    }

    #[test]
    fn a_scope_that_contains_the_secret_or_a_token_is_ignored() {
        for scope in [
            "read canary-secret",
            "canary%2Dsecret",
            "read T0KEN-0123456789",
        ] {
            let body = format!(r#"{{"access_token":"T0KEN-0123456789","scope":"{scope}"}}"#);
            assert_eq!(of(&body, &["read", "write"]), None, "{scope}");
        }
        let long = "a ".repeat(10) + &"b".repeat(MAX_SCOPE);
        let body = format!(r#"{{"access_token":"t","scope":"{long}"}}"#);
        assert_eq!(of(&body, &["read"]), None);
    }
}
