//! The last complete answer that contains a token, for all callers that ask in the same second.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::Pieces;

/// The last complete answer that contained a token. It is kept with the token, wiped with it, and cannot be printed.
#[derive(Default)]
pub struct LastAnswer(Mutex<Option<(AnswerKey, Pieces)>>);

/// The data in which answers with the same token differ: the seconds left, the Unix second of the expiry, and whether
/// it is stale.
type AnswerKey = (u64, u64, bool);

impl LastAnswer {
    /// Returns the answer with this data. Calls `make` if the last answer had different data.
    pub fn expose_or_make(&self, shows: AnswerKey, make: impl FnOnce() -> Pieces) -> Pieces {
        // A panic in `make` leaves the previous answer in place, so the data behind a poisoned lock is valid.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((then, answer)) if *then == shows => answer.clone(),
            _ => last.insert((shows, make())).1.clone(),
        }
    }
}

impl fmt::Debug for LastAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastAnswer(…)")
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf as _;

    use super::*;

    #[test]
    fn an_answer_is_rebuilt_only_when_its_key_changes() {
        let last = LastAnswer::default();
        let mut made = 0;
        let mut ask = |shows: AnswerKey| {
            let answer = last.expose_or_make(shows, || {
                made += 1;
                format!("{shows:?}").into_bytes().into()
            });
            assert_eq!(answer.chunk(), format!("{shows:?}").as_bytes());
            made
        };
        for (shows, made) in [
            ((60, 100, false), 1),
            ((60, 100, false), 1),
            ((60, 100, true), 2),
            ((60, 100, false), 3),
            ((59, 100, false), 4),
            ((59, 101, false), 5),
            ((59, 101, false), 5),
        ] {
            assert_eq!(ask(shows), made, "{shows:?}");
        }
    }

    #[test]
    fn debug_output_hides_the_last_answer() {
        let last = LastAnswer::default();
        last.expose_or_make((1, 2, false), || b"canary-token".to_vec().into());
        assert!(!format!("{last:?} {last:#?}").contains("canary"));
    }
}
