//! The rotation of a record's key, and which other key the record needs for it.

use std::fmt;

use super::Key;

/// The length of a rotation's ID, in characters.
const ID_LEN: usize = 32;

/// The ID of one rotation. Every rotation has a different one, whatever machine begins it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RotationId(String);

/// A rotation that has begun.
#[derive(Debug)]
pub struct BegunRotation {
    /// Its ID, which every write of the record compares.
    pub id: RotationId,
    /// The key beside the one in use; `None` before there is one, and for a key that gets a new secret in place.
    pub other: Option<OtherKey>,
}

/// The key beside the one in use.
#[derive(Debug)]
pub enum OtherKey {
    /// The key that is to be used, before the switch.
    Next(Key),
    /// The key that was used, from the switch until it is deleted at the server.
    Previous(Key),
}

// === impl RotationId ===

impl RotationId {
    /// A new ID.
    ///
    /// # Errors
    /// The operating system gives no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self::of(u128::from_be_bytes(bytes)))
    }

    /// The ID with this number.
    pub fn of(number: u128) -> Self {
        Self(format!("{number:032x}"))
    }

    /// Parses an ID; `None` if the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let is_id = text.len() == ID_LEN && text.bytes().all(is_digit);
        is_id.then(|| Self(text.to_owned()))
    }

    /// The ID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RotationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl OtherKey ===

impl OtherKey {
    /// The key, next or previous.
    pub const fn key(&self) -> &Key {
        match self {
            Self::Next(key) | Self::Previous(key) => key,
        }
    }

    /// Returns the key, next or previous, by value.
    pub fn into_key(self) -> Key {
        match self {
            Self::Next(key) | Self::Previous(key) => key,
        }
    }

    /// The next key, if this is one.
    pub const fn next(&self) -> Option<&Key> {
        match self {
            Self::Next(key) => Some(key),
            Self::Previous(_) => None,
        }
    }

    /// The previous key, if this is one.
    pub const fn previous(&self) -> Option<&Key> {
        match self {
            Self::Previous(key) => Some(key),
            Self::Next(_) => None,
        }
    }
}
