//! Templates: texts with placeholders from a fixed set.

use std::fmt;

use super::issued::TokenToWrite;

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// `{{token}}`
    Token,
    /// `{{token|json}}`, to stand between the quotes of a JSON string.
    TokenInJson,
    /// `{{token|shell}}`, a complete shell word with its quotes.
    TokenInShell,
    /// `{{expires_at}}`, in Unix seconds.
    ExpiresAt,
}

/// The placeholders, as written between the braces.
const PLACEHOLDERS: [(&str, Piece); 4] = [
    ("token", Piece::Token),
    ("token|json", Piece::TokenInJson),
    ("token|shell", Piece::TokenInShell),
    ("expires_at", Piece::ExpiresAt),
];

/// The most characters of an unknown placeholder that a message shows.
const LONGEST_SHOWN: usize = 40;

/// The reason why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidTemplate {
    /// This placeholder is unknown.
    Unknown(String),
    /// A placeholder has no end.
    Unclosed,
    /// No placeholder stands for the token.
    NoToken,
}

// === impl Template ===

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// [`InvalidTemplate`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        let mut pieces = vec![];
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let (name, after) = after.split_once("}}").ok_or(InvalidTemplate::Unclosed)?;
            let known = PLACEHOLDERS.iter().find(|(known, _)| *known == name.trim());
            let unknown = || InvalidTemplate::Unknown(name.chars().take(LONGEST_SHOWN).collect());
            let (_, piece) = known.ok_or_else(unknown)?;
            pieces.push(piece.clone());
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        if !pieces.iter().any(Piece::is_of_token) {
            return Err(InvalidTemplate::NoToken);
        }
        Ok(Self { pieces })
    }

    /// Fills in a token.
    pub(super) fn fill(&self, issued: &TokenToWrite<'_>) -> String {
        let expires_at = issued.expires_at.to_string();
        let shell = quoted(issued.token.expose());
        let parts: Vec<&str> = self
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::Token => issued.token.expose(),
                Piece::TokenInJson => issued.token.expose_json(),
                Piece::TokenInShell => &shell,
                Piece::ExpiresAt => &expires_at,
            })
            .collect();
        parts.concat()
    }
}

impl Piece {
    const fn is_of_token(&self) -> bool {
        matches!(self, Self::Token | Self::TokenInJson | Self::TokenInShell)
    }
}

/// Quotes a text as a shell word: between single quotes only the quote itself is special.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

// === impl InvalidTemplate ===

impl fmt::Display for InvalidTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<_> = PLACEHOLDERS
            .iter()
            .map(|(name, _)| format!("{{{{{name}}}}}"))
            .collect();
        let known = known.join(", ");
        match self {
            Self::Unknown(name) => write!(
                f,
                "{{{{{}}}}} is no placeholder; there are {known}",
                name.escape_debug()
            ),
            Self::Unclosed => write!(
                f,
                "{{{{ begins a placeholder that }}}} does not end; there are {known}"
            ),
            Self::NoToken => write!(
                f,
                "the template has no placeholder for the token; known placeholders: {known}"
            ),
        }
    }
}

impl std::error::Error for InvalidTemplate {}
