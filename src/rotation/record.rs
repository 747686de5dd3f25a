//! What a rotation knows about keys and the stored record: never a secret.

/// The ID of a rotation: random lowercase hexadecimal digits, drawn at its start.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RotationId(String);

/// A key as the issuer knows it, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyRef {
    /// The client ID, which identifies the key.
    pub client_id: String,
    /// The issuer's ID of the key, which a deletion needs.
    pub id: Option<String>,
    /// Its name at the issuer.
    pub name: Option<String>,
}

/// The stored record as a rotation sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecordView {
    /// The ID of the rotation to which the record belongs.
    pub rotation: Option<RotationId>,
    /// The key in force.
    pub current: KeyRef,
    /// The key that becomes the one in force at the switch.
    pub next: Option<KeyRef>,
    /// The former key in force, from the switch to its deletion.
    pub previous: Option<KeyRef>,
}

// === impl RotationId ===

impl RotationId {
    /// The length of an ID, in characters.
    pub const LEN: usize = 32;
    /// The number of characters in the name of a key: enough to make equal names of two rotations of a user unlikely.
    const SHORT: usize = 12;

    /// Parses an ID; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        (is_hex && text.len() == Self::LEN).then(|| Self(text.to_owned()))
    }

    /// Makes an ID from these random bits.
    pub fn of_bits(bits: u128) -> Self {
        Self(format!("{bits:032x}"))
    }

    /// Returns the ID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns its last digits, for the name of a key.
    pub fn short(&self) -> &str {
        self.0.get(Self::LEN - Self::SHORT..).unwrap_or_default()
    }
}

// === impl KeyRef ===

impl KeyRef {
    /// Returns whether both are the same key.
    pub fn is(&self, other: &Self) -> bool {
        self.client_id == other.client_id
    }

    /// Returns the label for people: the key's name, else its client ID.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.client_id)
    }
}

// === impl RecordView ===

impl RecordView {
    /// Returns whether the record has this client ID anywhere.
    pub fn needs(&self, client_id: &str) -> bool {
        let others = self.next.iter().chain(&self.previous);
        std::iter::once(&self.current)
            .chain(others)
            .any(|key| key.client_id == client_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_id_has_only_one_form() {
        let id = RotationId::of_bits(u128::MAX);
        assert_eq!(id.as_str(), "f".repeat(32));
        assert_eq!(RotationId::parse(id.as_str()), Some(id));
        let one = RotationId::of_bits((1 << 64) + 1);
        assert_eq!(one.as_str(), "00000000000000010000000000000001");
        assert_eq!(one.short(), "000000000001");
        for bad in ["", &"f".repeat(31), &"f".repeat(33), &"F".repeat(32)] {
            assert_eq!(RotationId::parse(bad), None, "{bad}");
        }
    }
}
