//! Makes tokens that look like the control plane's: JWTs with a random signature, so that no server accepts them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::moment::Moment;

/// The length of an RS256 signature with a 2048-bit key, in bytes.
const SIGNATURE_LEN: usize = 256;

/// The name in a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bearer {
    /// A name in ASCII without `>`, `?` and `~`: the payload is the same in both alphabets of base64.
    Plain,
    /// A name with other characters: `þ` ends in the bits of `-` and `ÿ` in those of `_`. With three of each, one
    /// falls on the end of a group wherever the name begins. A client that decodes with the ordinary alphabet (as the
    /// official Python client does) fails here.
    NonAscii,
}

impl Bearer {
    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "Sandbox User",
            Self::NonAscii => "Zoë þþþ ÿÿÿ",
        }
    }
}

/// Makes a token of `issuer` for `client_id`, issued at `now`, with the lifetime `life`. It has about 1,100
/// characters and is unique.
///
/// # Errors
/// The operating system gives no random bytes.
pub(super) fn mint(
    issuer: &str,
    client_id: &str,
    bearer: Bearer,
    now: Moment,
    life: Duration,
) -> Result<String, getrandom::Error> {
    let mut signature = [0_u8; SIGNATURE_LEN];
    let (mut token_id, mut session) = ([0_u8; 16], [0_u8; 16]);
    getrandom::fill(&mut signature)?;
    getrandom::fill(&mut token_id)?;
    getrandom::fill(&mut session)?;
    let issued_at = now.unix.as_secs();
    let header = json!({
        "alg": "RS256",
        "typ": "JWT",
        "kid": "jeton-sandbox-8Hq3zV0mWcYt1nRfKdXoLb5sJg2uEwPiAa7",
    });
    let payload = json!({
        "exp": issued_at.saturating_add(life.as_secs()),
        "iat": issued_at,
        "jti": URL_SAFE_NO_PAD.encode(token_id),
        "iss": format!("{issuer}/auth/realms/runai"),
        "aud": ["runai", "account"],
        "sub": "5f0c0d2e-6d0b-4c43-9f0a-5a4db0c00001",
        "typ": "Bearer",
        "azp": client_id,
        "sid": URL_SAFE_NO_PAD.encode(session),
        "scope": "openid email profile",
        "realm_access": {"roles": ["offline_access", "uma_authorization"]},
        "clientHost": "127.0.0.1",
        "client_id": client_id,
        "preferred_username": format!("service-account-{client_id}"),
        "name": bearer.name(),
        "email_verified": false,
    });
    Ok([
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(payload.to_string()),
        URL_SAFE_NO_PAD.encode(signature),
    ]
    .join("."))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;

    fn part(token: &str, n: usize) -> Value {
        let raw = URL_SAFE_NO_PAD
            .decode(token.split('.').nth(n).unwrap())
            .unwrap();
        serde_json::from_slice(&raw).unwrap()
    }

    #[test]
    fn a_minted_token_is_a_jwt_with_its_lifetime() {
        let now = Moment::now();
        let life = Duration::from_secs(77);
        let token = mint("http://127.0.0.1:1", "app-1", Bearer::Plain, now, life).unwrap();
        assert_eq!(token.split('.').count(), 3);
        assert_eq!(part(&token, 0)["alg"], "RS256");
        let payload = part(&token, 1);
        assert_eq!(payload["iat"], now.unix.as_secs());
        assert_eq!(payload["exp"], now.unix.as_secs() + 77);
        assert_eq!(payload["azp"], "app-1");
        assert_eq!(payload["iss"], "http://127.0.0.1:1/auth/realms/runai");
        assert!(token.len() >= 800, "{}", token.len());
    }

    #[test]
    fn only_a_non_ascii_bearer_name_needs_the_url_safe_alphabet() {
        for client_id in ["", "a", "ab"] {
            let needs = |bearer| {
                let token = mint("", client_id, bearer, Moment::now(), Duration::ZERO).unwrap();
                let payload = token.split('.').nth(1).unwrap().to_owned();
                (payload.contains('-'), payload.contains('_'))
            };
            assert_eq!(needs(Bearer::NonAscii), (true, true));
            assert_eq!(needs(Bearer::Plain), (false, false));
        }
    }

    #[test]
    fn no_two_tokens_of_one_moment_are_equal() {
        let now = Moment::now();
        let mut seen = HashSet::new();
        for _ in 0..64 {
            let token = mint(
                "http://127.0.0.1:1",
                "a",
                Bearer::Plain,
                now,
                Duration::ZERO,
            )
            .unwrap();
            let payload = token.rsplit_once('.').unwrap().0.to_owned();
            assert!(seen.insert(payload));
        }
    }
}
