//! Recognises JWTs: a JWS in the compact form (RFC 7515 section 7.1) whose payload is a JSON object.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Reports whether a token is a JWT. Neither its signature nor its claims are checked.
pub(super) fn is_jwt(token: &str) -> bool {
    let parts: Vec<_> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        return false;
    };
    is_object(header) && is_object(payload) && URL_SAFE_NO_PAD.decode(signature).is_ok()
}

fn is_object(part: &str) -> bool {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(part) else {
        return false;
    };
    serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).is_ok()
}
