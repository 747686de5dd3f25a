//! `POST /v1/unlock` and `POST /v1/lock` on the admin socket.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The body of an unlock request: the secret identity that decrypts the store's records. It borrows from memory that is
/// wiped.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnlockQuery<'a> {
    /// The identity in age's text form, which needs no escapes in JSON.
    #[serde(borrow)]
    pub identity: &'a str,
}

/// The profiles that were locked or unlocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockReply {
    /// The profiles whose records are encrypted.
    pub profiles: Vec<String>,
    /// The files that still contain a token, because they could not be removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
}

// === impl UnlockQuery ===

impl<'a> UnlockQuery<'a> {
    /// Parses a body.
    ///
    /// # Errors
    /// What is wrong with the body, without quoting it.
    pub fn from_json(body: &'a [u8]) -> Result<Self, &'static str> {
        serde_json::from_slice(body)
            .map_err(|_| "the body is not {\"identity\": \"AGE-SECRET-KEY-1…\"}")
    }

    /// Returns the body in memory that is wiped. An identity contains no character that JSON escapes.
    pub fn to_json(&self) -> Zeroizing<String> {
        let parts = ["{\"identity\":\"", self.identity, "\"}"];
        Zeroizing::new(parts.concat())
    }
}

// === impl LockReply ===

impl LockReply {
    /// Creates the reply from these profiles and the remaining files.
    pub const fn of(profiles: Vec<String>, left: Vec<String>) -> Self {
        Self { profiles, left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unlock_request_has_only_an_identity() {
        let identity = "AGE-SECRET-KEY-1CANARY";
        let json = UnlockQuery { identity }.to_json();
        assert_eq!(
            UnlockQuery::from_json(json.as_bytes()).unwrap().identity,
            identity
        );
        for bad in [
            "",
            "{}",
            "AGE-SECRET-KEY-1CANARY",
            r#"{"identity":"AGE-SECRET-KEY-1CANARY","more":1}"#,
            r#"{"identity":["AGE-SECRET-KEY-1CANARY"]}"#,
            r#"{"identity":"\u0041GE-SECRET-KEY-1CANARY"}"#,
        ] {
            let why = UnlockQuery::from_json(bad.as_bytes()).err().unwrap();
            assert!(!why.contains("CANARY"), "{bad}");
        }
    }
}
