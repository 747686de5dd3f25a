//! An answer that has a new secret, as it came.

use std::fmt;

use zeroize::Zeroizing;

/// How much of an answer is kept, in bytes. A server's answer with a new secret takes less than one KiB.
const MAX_LEN: usize = 32 * 1024;

/// The bytes of an answer that has a new secret, or may have one: its first 32 KiB. They are wiped when it is dropped, and
/// cannot be printed, cloned or serialised.
pub struct RawAnswer(Zeroizing<Vec<u8>>);

// === impl RawAnswer ===

impl RawAnswer {
    /// Takes the bytes of an answer.
    pub fn of(bytes: &[u8]) -> Self {
        let cut = bytes.get(..MAX_LEN).unwrap_or(bytes);
        Self(Zeroizing::new(cut.to_vec()))
    }

    /// The bytes, for the store and for whoever reads the secret in them.
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
    fn an_answer_does_not_show_itself_and_is_cut_at_its_limit() {
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
