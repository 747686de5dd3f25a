//! States of many profiles in one answer.
//!
//! Reading and printing thousands of states takes milliseconds, during which the event loop would serve no other
//! request. So a long list is made on a thread, and each user gets one such list at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::daemon::keep::wait_limit::WaitLimit;
use crate::offload;
use crate::problem::{Code, Problem};
use crate::wire::frame::Reply;

/// Longest list that is made on the event loop, in profiles. It takes a fraction of a millisecond.
const SHORT: usize = 64;

/// How long a request may wait for the earlier lists of its user.
pub(super) const TURN: Duration = Duration::from_secs(5);

/// The users that have long lists in progress.
#[derive(Debug, Default)]
pub struct LongLists(Mutex<HashMap<u32, Arc<Semaphore>>>);

// === impl Lists ===

impl LongLists {
    /// Returns the semaphore of this user, which admits one list at a time.
    fn of(&self, uid: u32) -> Arc<Semaphore> {
        // Ignore poisoning: no code that can panic runs under the lock, so the map is always consistent.
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A semaphore without another reference is not in use.
        users.retain(|other, place| *other == uid || Arc::strong_count(place) > 1);
        let place = users
            .entry(uid)
            .or_insert_with(|| Arc::new(Semaphore::new(1)));
        Arc::clone(place)
    }

    /// Runs `make`, which makes a list of `profiles` profiles for this user. A long list waits for the user's earlier
    /// ones, at most as long as `turn` allows.
    ///
    /// # Errors
    /// `unavailable` if the wait ended before the list's turn.
    pub(super) async fn make(
        &self,
        profiles: usize,
        uid: u32,
        turn: WaitLimit,
        make: impl FnOnce() -> Reply + Send + 'static,
    ) -> Result<Reply, Problem> {
        if profiles <= SHORT {
            return Ok(make());
        }
        let unavailable = |detail| Problem::new(Code::Unavailable).with_detail(detail);
        // The semaphore is never closed.
        let _turn = turn
            .run(self.of(uid).acquire_owned())
            .await
            .map_err(|early| {
                unavailable("other lists of all profiles are being made for this user; try again")
                    .ended_early(early)
            })?;
        offload::run(make).await.map_err(|_| {
            unavailable(
                "the system refuses a thread for a list of so many profiles; name one of them",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_gets_one_long_list_at_a_time_and_unused_slots_are_removed() {
        let lists = LongLists::default();
        let place = lists.of(1);
        let turn = Arc::clone(&place).try_acquire_owned().unwrap();
        assert!(lists.of(1).try_acquire_owned().is_err());
        assert!(lists.of(2).try_acquire_owned().is_ok());
        drop((place, turn));
        assert!(lists.of(1).try_acquire_owned().is_ok());
        assert_eq!(lists.0.lock().unwrap().len(), 1);
    }
}
