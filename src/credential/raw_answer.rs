//! The unparsed response of an issuer that contains a new secret.

use std::fmt;

use zeroize::Zeroizing;

/// The most bytes of a response that are kept. A server's response with a new secret takes less than one KiB.
const MAX_LEN: usize = 32 * 1024;

/// The first 32 KiB of a response that contains, or may contain, a new secret. They are wiped on drop, and cannot be
/// printed, cloned or serialised.
pub struct RawAnswer(Zeroizing<Vec<u8>>);

// === impl RawAnswer ===

impl RawAnswer {
    /// Copies the bytes of a response.
    pub fn of(bytes: &[u8]) -> Self {
        let cut = bytes.get(..MAX_LEN).unwrap_or(bytes);
        Self(Zeroizing::new(cut.to_vec()))
    }

    /// Exposes the bytes. Only the store and the parser of the secret need them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RawAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawAnswer(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_a_raw_answer_and_its_length_is_limited() {
        let answer = RawAnswer::of(b"canary");
        assert_eq!(answer.expose(), b"canary");
        assert_eq!(
            format!("{answer:?} {answer:#?}"),
            "RawAnswer(…) RawAnswer(…)"
        );
        let long = vec![b'x'; MAX_LEN + 1];
        assert_eq!(RawAnswer::of(&long).expose().len(), MAX_LEN);
    }
}
