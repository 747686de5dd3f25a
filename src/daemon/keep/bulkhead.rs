//! Limits how many attempts to get a token run at once. The limit per issuer keeps an issuer that hangs from delaying
//! the profiles of others. The limit in all keeps a daemon with a thousand profiles from opening a thousand
//! connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The maximum of attempts at one issuer.
const AT_ONE: usize = 8;

/// The maximum of attempts in all. Several issuers may hang before attempts at others have to wait, and then for no
/// longer than one attempt may take.
pub(crate) const IN_ALL: usize = 32;

/// Concurrency limits for attempts: one for each issuer, and one for all.
#[derive(Debug)]
pub struct Bulkhead {
    all: Arc<Semaphore>,
    at_one: usize,
    issuers: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// Concurrency limit for one issuer, shared by all of its profiles.
#[derive(Debug, Clone)]
pub struct Compartment {
    issuer: Arc<Semaphore>,
    all: Arc<Semaphore>,
}

/// Permission for one call; dropping it releases the permit.
#[derive(Debug)]
pub(super) struct Permit {
    _issuer: Option<OwnedSemaphorePermit>,
    _all: Option<OwnedSemaphorePermit>,
}

// === impl Bulkhead ===

impl Default for Bulkhead {
    fn default() -> Self {
        Self::new(IN_ALL)
    }
}

impl Bulkhead {
    /// Limits all attempts together to `in_all`, which is lower where few descriptors are available.
    pub fn new(in_all: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(in_all.min(IN_ALL))),
            // One issuer never gets all permits: if it hung, attempts at every other issuer would wait.
            at_one: AT_ONE.min(in_all.div_ceil(2)),
            issuers: Mutex::default(),
        }
    }

    /// Returns the limit of the issuer at `origin`, shared by all of its profiles.
    pub fn compartment(&self, origin: &str) -> Compartment {
        // Nothing under the lock can panic.
        let mut issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        issuers.retain(|_, places| places.strong_count() > 0);
        let known = issuers.get(origin).and_then(Weak::upgrade);
        let issuer = known.unwrap_or_else(|| {
            let places = Arc::new(Semaphore::new(self.at_one));
            issuers.insert(origin.to_owned(), Arc::downgrade(&places));
            places
        });
        Compartment {
            issuer,
            all: Arc::clone(&self.all),
        }
    }
}

// === impl Compartment ===

impl Compartment {
    /// Waits for a permit. Permits are granted in the order of the requests.
    pub(super) async fn enter(&self) -> Permit {
        // The issuer's permit comes first: an attempt that waits for it must not hold one of the shared permits
        // meanwhile. The semaphores are never closed.
        let issuer = Arc::clone(&self.issuer).acquire_owned().await.ok();
        let all = Arc::clone(&self.all).acquire_owned().await.ok();
        Permit {
            _issuer: issuer,
            _all: all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(compartment: &Compartment) -> (usize, usize) {
        (
            compartment.issuer.available_permits(),
            compartment.all.available_permits(),
        )
    }

    async fn fill(compartment: &Compartment, places: usize) -> Vec<Permit> {
        let mut permits = vec![];
        for _ in 0..places {
            permits.push(compartment.enter().await);
        }
        permits
    }

    #[tokio::test]
    async fn the_profiles_of_an_issuer_share_its_places_and_no_others() {
        let bulkhead = Bulkhead::default();
        let a = bulkhead.compartment("https://a.example");
        let again = bulkhead.compartment("https://a.example");
        let b = bulkhead.compartment("https://b.example");
        let full = fill(&a, AT_ONE).await;
        assert_eq!(free(&again), (0, IN_ALL - AT_ONE));
        assert_eq!(free(&b).0, AT_ONE);
        // An attempt that waits for an issuer that hangs takes no permit from the others.
        let waiting = tokio::spawn(async move { again.enter().await });
        tokio::task::yield_now().await;
        assert_eq!(free(&b), (AT_ONE, IN_ALL - AT_ONE));
        drop(full);
        drop(waiting.await.unwrap());
        assert_eq!(free(&a), (AT_ONE, IN_ALL));
    }

    #[tokio::test]
    async fn with_little_room_one_issuer_still_does_not_take_all_of_it() {
        for (in_all, at_one) in [(1, 1), (2, 1), (9, 5), (16, 8), (32, 8), (64, 8)] {
            let a = Bulkhead::new(in_all).compartment("https://a.example");
            assert_eq!(free(&a), (at_one, in_all.min(IN_ALL)), "{in_all}");
        }
    }

    #[tokio::test]
    async fn an_issuer_that_no_profile_has_any_more_is_forgotten() {
        let bulkhead = Bulkhead::default();
        for n in 0..10 {
            drop(bulkhead.compartment(&format!("https://{n}.example")));
        }
        let _kept = bulkhead.compartment("https://kept.example");
        assert_eq!(bulkhead.issuers.lock().unwrap().len(), 1);
    }
}
