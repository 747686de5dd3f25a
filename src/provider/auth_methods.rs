//! The methods of client authentication that an issuer's document lists (RFC 8414 section 2,
//! `token_endpoint_auth_methods_supported`).

use std::fmt;

use serde_json::Value;

use crate::config::oauth2::ClientAuth;

/// The registered methods (RFC 8414 section 7.1.1 and IANA's registry). Only these are quoted; other words may come
/// from a stranger.
const REGISTERED: [&str; 8] = [
    ClientAuth::Basic.method(),
    ClientAuth::Post.method(),
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
    "attest_jwt_client_auth",
    "none",
];

/// The methods that a document lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthMethods {
    /// The registered methods, in the document's order.
    known: Vec<&'static str>,
    /// Whether it lists other methods as well.
    has_others: bool,
}

impl AuthMethods {
    /// Parses the member's JSON: an array of names, or a text with several names, as some issuers write it. `None` if
    /// it lists nothing.
    pub fn parse(raw: &str) -> Option<Self> {
        let names: Vec<String> = match serde_json::from_str(raw).ok()? {
            Value::Array(values) => {
                let texts = values.iter().filter_map(Value::as_str);
                texts.map(str::to_owned).collect()
            }
            Value::String(text) => {
                let words = text.split([' ', ',']).filter(|word| !word.is_empty());
                words.map(str::to_owned).collect()
            }
            _ => return None,
        };
        let mut listed = Self {
            known: vec![],
            has_others: false,
        };
        for name in &names {
            match REGISTERED.iter().find(|known| *known == name) {
                Some(known) if listed.known.contains(known) => {}
                Some(known) => listed.known.push(known),
                None => listed.has_others = true,
            }
        }
        (!names.is_empty()).then_some(listed)
    }

    /// Reports whether it lists the method of this client authentication.
    pub fn has(&self, client_auth: ClientAuth) -> bool {
        self.known.contains(&client_auth.method())
    }

    /// Returns the client authentication with the secret, if the document lists exactly one of the two.
    pub fn only(&self) -> Option<ClientAuth> {
        let both = [ClientAuth::Basic, ClientAuth::Post];
        let mut listed = both.into_iter().filter(|auth| self.has(*auth));
        let first = listed.next();
        first.filter(|_| listed.next().is_none())
    }
}

impl fmt::Display for AuthMethods {
    /// Writes the methods as a part of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.known.clone();
        match (names.is_empty(), self.has_others) {
            (true, _) => names.push("no registered method"),
            (false, true) => names.push("others"),
            (false, false) => {}
        }
        match names.as_slice() {
            [.., _] if names.len() > 1 => {
                let last = names.pop().unwrap_or_default();
                write!(f, "{} and {last}", names.join(", "))
            }
            names => f.write_str(&names.concat()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_auth_methods_are_parsed_and_only_registered_names_are_shown() {
        use ClientAuth::{Basic, Post};
        const BASIC: &str = "client_secret_basic";
        const POST: &str = "client_secret_post";
        for (raw, only, shown) in [
            (r#"["client_secret_basic"]"#, Some(Basic), BASIC),
            (r#"["client_secret_post"]"#, Some(Post), POST),
            (
                r#"["client_secret_basic","client_secret_post"]"#,
                None,
                "client_secret_basic and client_secret_post",
            ),
            // Entra ID.
            (
                r#"["client_secret_post","private_key_jwt","client_secret_basic","self_signed_tls_client_auth"]"#,
                None,
                "client_secret_post, private_key_jwt, client_secret_basic and self_signed_tls_client_auth",
            ),
            (
                r#"["none","client_secret_post","private_key_jwt"]"#,
                Some(Post),
                "none, client_secret_post and private_key_jwt",
            ),
            (r#"["private_key_jwt"]"#, None, "private_key_jwt"),
            (
                r#"["client_secret_post","client_secret_post",7]"#,
                Some(Post),
                POST,
            ),
            (
                r#"["client_secret_basic","canary"]"#,
                Some(Basic),
                "client_secret_basic and others",
            ),
            (r#"["canary"]"#, None, "no registered method"),
            (
                r#""client_secret_post, none""#,
                Some(Post),
                "client_secret_post and none",
            ),
        ] {
            let listed = AuthMethods::parse(raw).unwrap();
            assert_eq!((listed.only(), listed.to_string().as_str()), (only, shown));
        }
        for raw in ["[]", "{}", "7", "\"\"", "[", "null"] {
            assert_eq!(AuthMethods::parse(raw), None, "{raw}");
        }
    }
}
