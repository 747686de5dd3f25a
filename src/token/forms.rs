//! A token's text in plain form and in JSON form, both in memory that is wiped.

use std::sync::Arc;

use bytes::Bytes;
use secrecy::{ExposeSecret as _, SecretString};

/// A token in the forms in which answers contain it.
pub(super) struct TokenForms {
    plain: SecretString,
    /// The JSON form, if it differs from the plain one.
    json: Option<SecretString>,
}

/// The form of a token in an answer.
#[derive(Clone, Copy)]
pub(super) enum TokenForm {
    /// Unchanged.
    Plain,
    /// As in a JSON string, without the quotes.
    Json,
}

/// The bytes of a token in an answer. The token is wiped when the last answer that contains it has been sent.
struct TokenBytes(Arc<TokenForms>, TokenForm);

// === impl Spelled ===

impl TokenForms {
    /// Prepares both forms of this text, which has no control characters. The JSON form is made once, because all
    /// answers share the token's bytes, however many of them are never read.
    pub(super) fn new(plain: &str) -> Self {
        Self {
            plain: SecretString::from(plain),
            json: in_json(plain),
        }
    }

    pub(super) fn expose(&self, spelling: TokenForm) -> &str {
        match (spelling, &self.json) {
            (TokenForm::Json, Some(json)) => json.expose_secret(),
            _ => self.plain.expose_secret(),
        }
    }

    /// Returns the bytes of a form without copying them.
    pub(super) fn shared(self: &Arc<Self>, spelling: TokenForm) -> Bytes {
        Bytes::from_owner(TokenBytes(Arc::clone(self), spelling))
    }

    /// Finds the token in an answer. Returns its position and its shared bytes. Searches for the longer form first,
    /// because the other one may be a part of it.
    pub(super) fn find_shared(self: &Arc<Self>, answer: &[u8]) -> Option<(usize, Bytes)> {
        let found = |spelling| {
            let text = self.expose(spelling).as_bytes();
            let at = answer.windows(text.len()).position(|part| part == text)?;
            Some((at, self.shared(spelling)))
        };
        let in_json = self.json.as_ref().and_then(|_| found(TokenForm::Json));
        in_json.or_else(|| found(TokenForm::Plain))
    }
}

impl AsRef<[u8]> for TokenBytes {
    fn as_ref(&self) -> &[u8] {
        self.0.expose(self.1).as_bytes()
    }
}

/// Escapes the text for JSON (RFC 8259 section 7). Returns `None` if nothing has to be escaped.
fn in_json(plain: &str) -> Option<SecretString> {
    let is_escaped = |c: &char| matches!(c, '"' | '\\');
    let escaped = plain.chars().filter(is_escaped).count();
    if escaped == 0 {
        return None;
    }
    // Allocate the final size, because a growing buffer leaves copies behind.
    let mut json = String::with_capacity(plain.len() + escaped);
    for c in plain.chars() {
        if is_escaped(&c) {
            json.push('\\');
        }
        json.push(c);
    }
    Some(SecretString::from(json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_form_of_a_token_equals_that_of_a_json_serializer() {
        let all: String = ('!'..='~').collect();
        for (text, is_escaped) in [
            ("eyJ.x-_~+/=", false),
            ("!|^#%:&<>'`{}[]$@,;?*()", false),
            ("\"", true),
            ("\\", true),
            ("a\\\"b", true),
            (all.as_str(), true),
        ] {
            let spelled = TokenForms::new(text);
            let json = serde_json::to_string(text).unwrap();
            let quoted = format!("\"{}\"", spelled.expose(TokenForm::Json));
            assert_eq!(quoted, json);
            assert_eq!(spelled.expose(TokenForm::Plain), text);
            assert_eq!(spelled.json.is_some(), is_escaped, "{text}");
        }
    }
}
