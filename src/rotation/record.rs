//! What a rotation knows of keys and of the stored record: never a secret.

/// Identifies one rotation: lowercase hexadecimal digits, drawn at its start.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RotationId(String);

/// A key as the issuer knows it, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyRef {
    /// The client ID, which tells keys apart.
    pub client_id: String,
    /// The issuer's ID of the key, which its deletion needs.
    pub id: Option<String>,
    /// Its name at the issuer.
    pub name: Option<String>,
}

/// The stored record as a rotation sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecordView {
    /// The rotation that the record is part of.
    pub rotation: Option<RotationId>,
    /// The key in force.
    pub current: KeyRef,
    /// The key that is to follow it, before the switch.
    pub next: Option<KeyRef>,
    /// The key before it, from the switch to the deletion.
    pub previous: Option<KeyRef>,
}

// === impl RotationId ===

impl RotationId {
    /// How many characters an ID has.
    pub const LEN: usize = 32;
    /// How many of them name a key: as many as leave no two rotations of a user with the same.
    const SHORT: usize = 12;

    /// Takes an ID of this form; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        (is_hex && text.len() == Self::LEN).then(|| Self(text.to_owned()))
    }

    /// The ID of these random bits.
    pub fn of_bits(bits: u128) -> Self {
        Self(format!("{bits:032x}"))
    }

    /// The ID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its last digits, for the name of a key.
    pub fn short(&self) -> &str {
        self.0.get(Self::LEN - Self::SHORT..).unwrap_or_default()
    }
}

// === impl KeyRef ===

impl KeyRef {
    /// Whether both are the same key.
    pub fn is(&self, other: &Self) -> bool {
        self.client_id == other.client_id
    }

    /// What people call it: its name, else its client ID.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.client_id)
    }
}

// === impl RecordView ===

impl RecordView {
    /// Whether the record has this client ID in any place.
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
    fn an_id_has_one_form() {
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
