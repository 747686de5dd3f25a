//! The parts of an answer around the token: where its JSON begins, whether it reports an error, and the token's type.

use zeroize::Zeroizing;

use super::refusal;
use crate::provider::members::Members;

/// An optional prefix of a UTF-8 text. RFC 8259 section 8.1 lets a reader ignore it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The reason why a token's type cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum UnusableTokenType {
    /// A known type whose use takes more than sending the token.
    Known(&'static str),
    /// A word that is not known as a type of bearer tokens.
    Unknown(Zeroizing<String>),
    /// A value that is not a text.
    NotText,
}

impl UnusableTokenType {
    /// Describes the type in words that follow "a token". `quoted` quotes the issuer's own word for it.
    pub(super) fn described(&self, quoted: impl FnOnce(&str) -> String) -> String {
        match self {
            Self::Known(what) => format!("{what}; ask the issuer for a bearer token"),
            Self::NotText => "whose token_type is not a text".to_owned(),
            Self::Unknown(word) => format!(
                "of the type {}, not of the type Bearer; if it is used like a bearer token, set token-type to that word in the profile",
                quoted(word)
            ),
        }
    }
}

/// Returns the body after a byte order mark.
pub(super) fn text_of(body: &[u8]) -> &[u8] {
    body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)
}

/// Reports whether a body looks like JSON, whatever its type says: gateways and old servers send objects as text or as
/// HTML. If it starts neither as an object nor as markup, the type decides (`is_claimed`).
pub(super) fn is_json_like(body: &[u8], is_claimed: bool) -> bool {
    match text_of(body).trim_ascii_start().first() {
        Some(b'{' | b'[') => true,
        Some(b'<') => false,
        _ => is_claimed,
    }
}

/// Reports whether the member `error` names an error. Some issuers put it into every answer, as an empty text, a zero
/// or a false.
pub(super) fn tells_error(members: &Members<'_>) -> bool {
    match members.raw("error") {
        None | Some("0" | "false") => false,
        Some(_) => members
            .text("error")
            .is_none_or(|code| !code.trim().is_empty()),
    }
}

/// Reports whether an answer contains an error code, in whichever member, and no token. Some gateways pass a refusal on
/// as a success.
pub(super) fn is_refusal(members: &Members<'_>) -> bool {
    !has_token(members) && (tells_error(members) || refusal::classify_codes(members).is_some())
}

/// Reports whether an answer has a token, in either spelling.
pub(super) fn has_token(members: &Members<'_>) -> bool {
    let has = |name| members.text(name).is_some_and(|token| !token.is_empty());
    has("access_token") || has("accessToken")
}

/// Judges the raw value of `token_type`. Valid are Bearer in any case (RFC 6749 section 5.1), `BearerToken` (Apigee),
/// the type that the profile declares, and an empty text, which some issuers send.
///
/// # Errors
/// [`UnusableTokenType`] for any other type: such a token has to be used in another way (RFC 6749 section 7.1).
pub(super) fn bearer(raw: &str, declared: Option<&str>) -> Result<(), UnusableTokenType> {
    let text = serde_json::from_str(raw).map(Zeroizing::<String>::new);
    let text = text.map_err(|_| UnusableTokenType::NotText)?;
    let plain = |text: &str| {
        let text = text.split_whitespace().collect::<String>();
        Zeroizing::new(text.to_ascii_lowercase())
    };
    let kind = plain(&text);
    match kind.as_str() {
        "" | "bearer" | "bearertoken" => Ok(()),
        "dpop" => Err(UnusableTokenType::Known(
            "of the type DPoP, which is bound to a key of its client (RFC 9449)",
        )),
        "pop" => Err(UnusableTokenType::Known(
            "of the type PoP, which is bound to a key of its client",
        )),
        "mac" => Err(UnusableTokenType::Known(
            "of the type MAC, with which each request has to be signed",
        )),
        "n_a" => Err(UnusableTokenType::Known(
            "of the type N_A, which is not an access token (RFC 8693 section 2.2.1)",
        )),
        _ if declared.is_some_and(|declared| plain(declared) == kind) => Ok(()),
        _ => Err(UnusableTokenType::Unknown(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_recognized_by_its_first_character() {
        for (body, claimed, like) in [
            ("{}", false, true),
            ("\u{feff}{}", false, true),
            ("\u{feff} \r\n\t[", false, true),
            ("", true, true),
            ("", false, false),
            ("x", true, true),
            ("x", false, false),
            ("\u{feff}\u{feff}{}", false, false),
            ("<html>", true, false),
            ("\n<!doctype html>", true, false),
        ] {
            assert_eq!(
                is_json_like(body.as_bytes(), claimed),
                like,
                "{body:?} {claimed}"
            );
        }
    }

    #[test]
    fn an_empty_error_member_does_not_count_as_an_error() {
        for (value, tells) in [
            ("\"\"", false),
            ("\" \"", false),
            ("null", false),
            ("0", false),
            ("false", false),
            ("\"invalid_client\"", true),
            ("\"0\"", true),
            ("1", true),
            ("true", true),
            ("{}", true),
            ("[]", true),
            ("{\"code\":401}", true),
        ] {
            let body = format!("{{\"error\":{value}}}");
            let members = Members::parse(body.as_bytes()).unwrap();
            assert_eq!(tells_error(&members), tells, "{value}");
        }
        assert!(!tells_error(&Members::parse(b"{}").unwrap()));
    }

    #[test]
    fn bearer_token_types_are_accepted_in_every_spelling() {
        for raw in [
            "\"Bearer\"",
            "\"bearer\"",
            "\"BEARER\"",
            "\" Bearer \"",
            "\"\"",
            "\"BearerToken\"",
            "\"bearer token\"",
        ] {
            assert_eq!(bearer(raw, None), Ok(()), "{raw}");
            assert_eq!(bearer(raw, Some("JWT")), Ok(()), "{raw}");
        }
        for (raw, declared) in [("\"JWT\"", "jwt"), ("\"urn:x \"", "urn:x")] {
            assert_eq!(bearer(raw, Some(declared)), Ok(()), "{raw}");
            let unknown: String = serde_json::from_str(raw).unwrap();
            let unknown = Err(UnusableTokenType::Unknown(Zeroizing::new(unknown)));
            assert_eq!(bearer(raw, None), unknown, "{raw}");
        }
    }

    #[test]
    fn a_token_type_other_than_bearer_is_refused_even_if_declared() {
        for raw in [
            "\"DPoP\"", "\"dpop\"", "\"MAC\"", "\" mac\"", "\"N_A\"", "\"PoP\"",
        ] {
            let declared = raw.trim_matches('"');
            let refused = bearer(raw, Some(declared)).unwrap_err();
            assert!(matches!(refused, UnusableTokenType::Known(_)), "{raw}");
        }
        for raw in ["5", "[\"bearer\"]", "{}", "true"] {
            assert_eq!(bearer(raw, None), Err(UnusableTokenType::NotText), "{raw}");
        }
    }
}
