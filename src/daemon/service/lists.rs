//! The states of many profiles in one answer.
//!
//! To read and print thousands of states takes milliseconds, in which the event loop would serve no other request. So a
//! long list is made on a thread of its own, and one user gets one at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::daemon::keep::patience::Patience;
use crate::offload;
use crate::problem::{Code, Problem};
use crate::wire::frame::Reply;

/// The most profiles whose states are listed on the event loop: that takes a fraction of a millisecond.
const SHORT: usize = 64;

/// How long a request may wait for its turn among the lists of its user.
pub(super) const TURN: Duration = Duration::from_secs(5);

/// The users for whom long lists are being made.
#[derive(Debug, Default)]
pub struct Lists(Mutex<HashMap<u32, Arc<Semaphore>>>);

// === impl Lists ===

impl Lists {
    /// The place for the one list of this user.
    fn of(&self, uid: u32) -> Arc<Semaphore> {
        // It is never left half changed: no code that can panic runs under the lock.
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of which there is no other reference are not in use.
        users.retain(|other, place| *other == uid || Arc::strong_count(place) > 1);
        let place = users
            .entry(uid)
            .or_insert_with(|| Arc::new(Semaphore::new(1)));
        Arc::clone(place)
    }

    /// Runs `make`, which makes the list of so many profiles for this user. The user's earlier long lists come first,
    /// and the caller waits for them at most as long as `turn` says.
    ///
    /// # Errors
    /// `unavailable` when its turn did not come.
    pub(super) async fn make(
        &self,
        profiles: usize,
        uid: u32,
        turn: Patience,
        make: impl FnOnce() -> Reply + Send + 'static,
    ) -> Result<Reply, Problem> {
        if profiles <= SHORT {
            return Ok(make());
        }
        let unavailable = |detail| Problem::new(Code::Unavailable).with_detail(detail);
        // It is never closed.
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
    fn each_user_has_one_place_and_those_that_are_not_used_are_forgotten() {
        let lists = Lists::default();
        let place = lists.of(1);
        let turn = Arc::clone(&place).try_acquire_owned().unwrap();
        assert!(lists.of(1).try_acquire_owned().is_err());
        assert!(lists.of(2).try_acquire_owned().is_ok());
        drop((place, turn));
        assert!(lists.of(1).try_acquire_owned().is_ok());
        assert_eq!(lists.0.lock().unwrap().len(), 1);
    }
}
