//! The waits of a rotation.

use std::time::Duration;

use crate::instant::BootInstant;

/// How long a rotation assumes that the issuer may still execute a call whose answer was lost.
pub const LATE_CALLS: Duration = Duration::from_secs(60);

/// How long a rotation assumes that a list may lag behind. The key in force counts as gone if two lists that are this
/// far apart lack it.
pub(super) const LIST_LAG: Duration = Duration::from_secs(60);

/// The waits before the second and later proofs of a new secret: 5, 15, 30, 60 and 120 s after the first. Replicas of
/// an issuer may lag behind this long.
const PROOFS: [Duration; 5] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_secs(60),
];

/// The longest wait between two tries after faults.
const LONGEST_RETRY: Duration = Duration::from_secs(5 * 60);

/// A wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pause {
    /// Until when.
    pub until: BootInstant,
    /// The reason for the wait, for people.
    pub why: WaitReason,
}

/// The reason for a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WaitReason {
    /// The issuer, or a bearer token that may manage keys.
    Issuer,
    /// The issuer's list, which lacks the new key, to be read again.
    Missed,
    /// The store.
    Store,
    /// The disk with the journal.
    Journal,
    /// The issuer's replicas to know the new key.
    Replicas,
    /// The tokens of the old key to expire.
    Grace,
    /// Proof that the old key is no longer used.
    Unused,
    /// The old key is still used (`old_key_in_use`).
    InUse,
    /// The issuer does not show whether a key is used, so the old key is kept for `rotate-grace`.
    NoLoginsShown,
    /// Calls whose answers were lost, which the issuer may still execute.
    LateCalls,
}

/// Returns the wait before the next proof after this many rejections; `None` if no further proof is tried.
pub(super) fn proof_wait(rejections: u8) -> Option<Duration> {
    let earlier = usize::from(rejections).checked_sub(1)?;
    PROOFS.get(earlier).copied()
}

/// Returns the wait after this many faults in a row: 2 s, doubling up to 5 min.
pub(super) fn retry_wait(faults: u8) -> Duration {
    let doubled = 1_u32 << faults.clamp(1, 16);
    Duration::from_secs(doubled.into()).min(LONGEST_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_of_the_new_key_are_made_at_the_documented_times() {
        let mut at = Duration::ZERO;
        let mut moments = vec![];
        for rejections in 1.. {
            let Some(wait) = proof_wait(rejections) else {
                break;
            };
            at += wait;
            moments.push(at.as_secs());
        }
        assert_eq!(moments, [5, 15, 30, 60, 120]);
        assert_eq!(proof_wait(0), None);
    }

    #[test]
    fn retries_double_up_to_five_minutes() {
        let waits = [0, 1, 2, 7, 8, 9, u8::MAX].map(|faults| retry_wait(faults).as_secs());
        assert_eq!(waits, [2, 2, 4, 128, 256, 300, 300]);
    }
}
