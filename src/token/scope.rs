//! Scope that an issuer granted.

/// A scope that differs from the requested one. Both texts have the form of RFC 6749 section 3.3: words separated by
/// single spaces, without characters that are special in JSON or on a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The scope that the issuer granted, in the issuer's order.
    pub granted: Box<str>,
    /// The requested part that was not granted. Empty if the scope is not narrower.
    pub missing: Box<str>,
}

impl Scope {
    /// Returns the granted words.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.granted.split(' ')
    }

    /// Whether a part of the requested scope is missing.
    pub fn is_narrower(&self) -> bool {
        !self.missing.is_empty()
    }
}
