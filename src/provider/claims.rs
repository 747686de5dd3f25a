//! The claims of a token about its bearer, if it is a JWT. They are not verified: they are for people to read, and
//! decide nothing.

use super::lifetime::payload;
use super::members::Members;
use crate::token::AccessToken;

/// The claims of a token about its bearer (RFC 7519 section 4.1, OpenID Connect Core section 5.1, RFC 9068 section
/// 2.2). The texts are unchanged and may contain any character.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// `sub`.
    pub subject: Option<String>,
    /// `preferred_username`, else `email`, else `name`.
    pub name: Option<String>,
    /// `azp`, else `client_id`.
    pub client_id: Option<String>,
    /// `iss`.
    pub issuer: Option<String>,
}

/// Reads the claims of this token; `None` if it is not a JWT.
pub fn claims(token: &AccessToken) -> Option<Claims> {
    let payload = payload(token.expose())?;
    let members = Members::parse(&payload)?;
    let first = |names: &[&str]| {
        let mut texts = names.iter().filter_map(|name| members.text(name));
        texts.next().map(|text| text.to_string())
    };
    Some(Claims {
        subject: first(&["sub"]),
        name: first(&["preferred_username", "email", "name"]),
        client_id: first(&["azp", "client_id"]),
        issuer: first(&["iss"]),
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn of(payload: &str) -> Option<Claims> {
        let payload = URL_SAFE_NO_PAD.encode(payload);
        claims(&AccessToken::parse(&format!("e30.{payload}.c2ln")).unwrap())
    }

    #[test]
    fn only_claims_that_identify_the_bearer_are_read() {
        let all = r#"{"sub":"1","azp":"c","iss":"https://i","email":"e","preferred_username":"Zo\u00eb","groups":["x"]}"#;
        let claims = Claims {
            subject: Some("1".into()),
            name: Some("Zoë".into()),
            client_id: Some("c".into()),
            issuer: Some("https://i".into()),
        };
        assert_eq!(of(all), Some(claims));
        assert_eq!(of("{}"), Some(Claims::default()));
        assert_eq!(of(r#"{"sub":7,"azp":null}"#), Some(Claims::default()));
        for bad in ["", "[]", "null", r#"{"sub":"a","sub":"b"}"#] {
            assert_eq!(of(bad), None, "{bad}");
        }
        for opaque in ["T0KEN", "a.b", "a.b.c.d", "a.!.c"] {
            if let Ok(token) = AccessToken::parse(opaque) {
                assert_eq!(claims_of(&token), None, "{opaque}");
            }
        }
    }

    fn claims_of(token: &AccessToken) -> Option<Claims> {
        super::claims(token)
    }
}
