//! The scope that an issuer granted.

/// A scope, where the issuer granted another one than was asked for. Both texts are as in RFC 6749 section 3.3: words
/// with a space between, and no character that JSON or a terminal acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// What the issuer granted, in its order.
    pub granted: Box<str>,
    /// What was asked for and not granted; empty where the scope is no narrower.
    pub missing: Box<str>,
}

impl Scope {
    /// The words that were granted.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.granted.split(' ')
    }

    /// Whether something that was asked for is missing.
    pub fn is_narrower(&self) -> bool {
        !self.missing.is_empty()
    }
}
