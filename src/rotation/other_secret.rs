//! Which secret of a record is tried after a rejection.

/// What a record in a rotation holds beside the key in force, and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// Nothing.
    None,
    /// A secret that was not tried since the key in force was first rejected.
    Untried,
    /// A secret that was rejected as well.
    Rejected,
}

/// What to do about `invalid_client` for the key in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Try the other secret. The rejection does not count for the breaker yet.
    TryOther,
    /// Count the rejection.
    Count,
}

/// Decides after a rejection of the key in force.
///
/// A write that a keyring made late, or a program that rewrote the record, may have left the wrong one of the two keys
/// in force. So the breaker opens only when both are rejected. A secret is tried once for each rejection that began a
/// series, so that two dead secrets cost the issuer no more than one attempt more.
pub const fn after_rejection(other: Other) -> Step {
    match other {
        Other::Untried => Step::TryOther,
        Other::None | Other::Rejected => Step::Count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_breaker_counts_only_when_no_other_secret_is_left() {
        assert_eq!(after_rejection(Other::Untried), Step::TryOther);
        for other in [Other::None, Other::Rejected] {
            assert_eq!(after_rejection(other), Step::Count);
        }
    }
}
