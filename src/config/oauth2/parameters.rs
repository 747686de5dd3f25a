//! The parameters of a token request that a user may set, and their valid values.

use std::fmt;

use ::url::Url;

/// Parameters that have keys of their own, or that the request sets.
const RESERVED: &[(&str, &str)] = &[
    ("grant_type", "it is always client_credentials"),
    ("client_id", "`jetond add` asks for it"),
    ("scope", "write it as the key scope"),
    ("audience", "write it as the key audience"),
    ("resource", "write it as the key resource"),
];

/// Parameters that authenticate the client: they must not be in this file.
const SECRETS: &[&str] = &[
    "assertion",
    "client_assertion",
    "client_secret",
    "code",
    "password",
    "refresh_token",
    "secret",
    "subject_token",
    "token",
];

/// The reason why a parameter is refused. It never quotes the value, which may be a misplaced secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InvalidParameter {
    /// Several scopes in one text.
    SpaceInScope,
    /// Not a `scope-token`.
    NotAScope,
    /// Not an absolute URI without a fragment.
    NotAResource,
    /// An empty value.
    Empty,
    /// A line end or another control character in the value.
    ControlCharacter,
    /// The name of a parameter that authenticates the client.
    Credential,
    /// The name of a parameter that is set elsewhere.
    Reserved {
        /// The name.
        name: &'static str,
        /// The place where it is set.
        why: &'static str,
    },
    /// A name with an invalid character.
    BadName,
    /// Not a token type.
    NotATokenType,
    /// A token type whose use takes more than sending the token.
    NotABearerType,
}

/// Parses one scope: a `scope-token` of RFC 6749 section 3.3.
///
/// # Errors
/// [`InvalidParameter`] if it is not valid.
pub(super) fn scope(text: &str) -> Result<String, InvalidParameter> {
    let token = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if text.contains(' ') && !text.trim().is_empty() {
        Err(InvalidParameter::SpaceInScope)
    } else if text.is_empty() || !text.bytes().all(token) {
        Err(InvalidParameter::NotAScope)
    } else {
        Ok(text.to_owned())
    }
}

/// Parses a resource: an absolute URI without a fragment (RFC 8707 section 2).
///
/// # Errors
/// [`InvalidParameter`] if it is not valid.
pub(super) fn resource(text: &str) -> Result<String, InvalidParameter> {
    let visible = text.bytes().all(|b| (0x21..=0x7e).contains(&b));
    if !visible || text.contains('#') || Url::parse(text).is_err() {
        return Err(InvalidParameter::NotAResource);
    }
    Ok(text.to_owned())
}

/// Parses the value of a parameter.
///
/// # Errors
/// [`InvalidParameter`] if it is not valid.
pub(super) fn value(text: &str) -> Result<String, InvalidParameter> {
    if text.is_empty() {
        // RFC 6749 section 3.2: an issuer treats a parameter without a value as absent.
        Err(InvalidParameter::Empty)
    } else if text.contains(char::is_control) {
        Err(InvalidParameter::ControlCharacter)
    } else {
        Ok(text.to_owned())
    }
}

/// Parses the type of an issuer's bearer tokens: a `type-name` or a URI (RFC 6749 appendix A.13).
///
/// # Errors
/// [`InvalidParameter`] if it is not valid.
pub(super) fn token_type(text: &str) -> Result<String, InvalidParameter> {
    let visible = text.bytes().all(|b| (0x20..=0x7e).contains(&b));
    if text.trim().is_empty() || text.len() > 256 || !visible {
        Err(InvalidParameter::NotATokenType)
    } else if ["dpop", "pop", "mac", "n_a"].contains(&text.trim().to_ascii_lowercase().as_str()) {
        Err(InvalidParameter::NotABearerType)
    } else {
        Ok(text.to_owned())
    }
}

/// Parses the name of a further parameter (RFC 6749 section 8.2).
///
/// # Errors
/// [`InvalidParameter`] if it is not valid.
pub(super) fn parameter(name: &str) -> Result<String, InvalidParameter> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let known = name.to_ascii_lowercase().replace('-', "_");
    if SECRETS.contains(&known.as_str()) {
        return Err(InvalidParameter::Credential);
    }
    if let Some((name, why)) = RESERVED.iter().find(|(name, _)| *name == known) {
        return Err(InvalidParameter::Reserved { name, why });
    }
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(InvalidParameter::BadName);
    }
    Ok(name.to_owned())
}

impl fmt::Display for InvalidParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SpaceInScope => "a scope has no spaces: write each scope as a text of its own",
            Self::NotAScope => {
                "this is not a scope: it consists of visible ASCII characters, without \" and \\"
            }
            Self::NotAResource => {
                "this is not a resource: it is an absolute URI without # part, such as https://api.example"
            }
            Self::Empty => "this must not be empty: leave the key out instead",
            Self::ControlCharacter => {
                "this must not have control characters or line ends in it"
            }
            Self::Credential => {
                "this file never holds a credential: remove it, and let `jetond add` ask for it and store it"
            }
            Self::Reserved { name, why } => {
                return write!(f, "{name} cannot be set here: {why}");
            }
            Self::NotATokenType => "this is not a type: it consists of visible ASCII characters",
            Self::NotABearerType => {
                "this is not a type of bearer tokens: such a token takes a key or a signature, which Jeton does not have"
            }
            Self::BadName => "a parameter's name consists of letters, digits, -, . and _",
        })
    }
}

impl std::error::Error for InvalidParameter {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_resources_and_values_follow_the_standards() {
        for good in [
            "a",
            "api.read",
            "https://graph.example/.default",
            "!#[]~",
            "a:b/c",
        ] {
            assert_eq!(scope(good).unwrap(), good);
        }
        for bad in ["", " ", "a b", "a\"b", "a\\b", "a\n", "\u{e9}", "\u{7f}"] {
            scope(bad).expect_err(bad);
        }
        for good in ["https://api.example/x?y", "urn:example:x", "api://app-id"] {
            assert_eq!(resource(good).unwrap(), good);
        }
        for bad in [
            "",
            "api.example",
            "/x",
            "https://a.example#x",
            "https://a.example/ x",
            "https://",
        ] {
            resource(bad).expect_err(bad);
        }
        assert_eq!(value("a b \u{e9}").unwrap(), "a b \u{e9}");
        for bad in ["", "\n", "a\0"] {
            value(bad).expect_err(bad);
        }
    }

    #[test]
    fn only_bearer_token_types_are_accepted() {
        for good in [
            "JWT",
            "bearer",
            "urn:ietf:params:oauth:token-type:jwt",
            "Access Token",
        ] {
            assert_eq!(token_type(good).unwrap(), good);
        }
        for bad in ["", " ", "a\n", "\u{e9}", &"a".repeat(257)] {
            assert_eq!(token_type(bad), Err(InvalidParameter::NotATokenType));
        }
        for other in ["DPoP", "mac", " N_A", "PoP"] {
            assert_eq!(token_type(other), Err(InvalidParameter::NotABearerType));
        }
    }

    #[test]
    fn a_parameter_that_is_set_elsewhere_or_is_a_secret_is_refused() {
        for good in ["organization", "x.y", "tenant_id", "requested-token-use"] {
            assert_eq!(parameter(good).unwrap(), good);
        }
        for bad in [
            "",
            "a b",
            "a&b",
            "a=b",
            "\u{e9}",
            "grant_type",
            "Scope",
            "client-id",
            "resource",
        ] {
            assert!(
                parameter(bad).expect_err(bad) != InvalidParameter::Credential,
                "{bad}"
            );
        }
        for secret in [
            "client_secret",
            "CLIENT-SECRET",
            "password",
            "client_assertion",
        ] {
            assert_eq!(parameter(secret), Err(InvalidParameter::Credential));
        }
    }
}
