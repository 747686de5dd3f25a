//! Remembers which clients keep a token until its expiry or a 401.
//!
//! If such a client asks again long before the expiry, it most likely got a 401. The call names no token, so it is not
//! a report: nothing counts as rejected, and each token causes at most one refresh.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::instant::BootInstant;
use crate::process::parent::Process;
use crate::profile::ProfileName;

/// A client that asks again within this time before its reported expiry does so routinely: the kubernetes client for
/// Python asks 5 min before it.
const AS_USUAL: Duration = Duration::from_secs(360);

/// Number of calls that are remembered for a user. Beyond it, the oldest is dropped.
const CALLS: usize = 1_024;

/// Number of users whose calls are remembered.
const USERS: usize = 32;

/// The recent calls of clients that keep their token, by user.
#[derive(Debug, Default)]
pub struct SecondCalls(Mutex<HashMap<u32, VecDeque<ClientToken>>>);

/// A client and the profile that it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client {
    /// The client's user.
    pub(super) uid: u32,
    /// The process that started the companion.
    pub(super) parent: Process,
    /// The profile.
    pub(super) profile: ProfileName,
}

/// A token that a client keeps.
#[derive(Debug)]
struct ClientToken {
    client: Client,
    generation: u64,
    /// Before this moment, the client has no routine reason to ask for the same token again.
    until: BootInstant,
}

// === impl SecondCalls ===

impl SecondCalls {
    /// Whether this client already has this token, and comes back too early for its expiry to be the reason.
    pub(super) fn is_second(&self, now: BootInstant, client: &Client, generation: u64) -> bool {
        // Ignore poisoning: no code that can panic runs under the lock, so the map is always consistent.
        let users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = users.get(&client.uid);
        calls.is_some_and(|calls| {
            calls.iter().any(|kept| {
                kept.client == *client && kept.generation == generation && now < kept.until
            })
        })
    }

    /// Remembers that this client got this token and was told that it expires at `told`.
    pub(super) fn note(
        &self,
        now: BootInstant,
        client: Client,
        generation: u64,
        told: BootInstant,
    ) {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !users.contains_key(&client.uid) && users.len() >= USERS {
            for calls in users.values_mut() {
                calls.retain(|kept| now < kept.until);
            }
            users.retain(|_, calls| !calls.is_empty());
            if users.len() >= USERS {
                return;
            }
        }
        let calls = users.entry(client.uid).or_default();
        calls.retain(|kept| now < kept.until && kept.client != client);
        if calls.len() >= CALLS {
            calls.pop_front();
        }
        calls.push_back(ClientToken {
            client,
            generation,
            until: told.before(AS_USUAL),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> BootInstant {
        BootInstant::from_boot(Duration::from_secs(secs))
    }

    fn client(uid: u32, pid: i32, started: u64, profile: &str) -> Client {
        Client {
            uid,
            parent: Process { pid, started },
            profile: ProfileName::parse(profile).unwrap(),
        }
    }

    #[test]
    fn a_second_call_is_an_early_one_of_the_same_process_for_the_same_token() {
        let calls = SecondCalls::default();
        let kubectl = || client(1_000, 812, 50, "research");
        assert!(!calls.is_second(at(0), &kubectl(), 7), "the first one");
        calls.note(at(0), kubectl(), 7, at(3_600));
        for (now, who, generation, is_second) in [
            (0, kubectl(), 7, true),
            (3_239, kubectl(), 7, true),
            // The client comes back routinely.
            (3_240, kubectl(), 7, false),
            (3_600, kubectl(), 7, false),
            // The token is a newer one.
            (100, kubectl(), 8, false),
            // Another process with the same ID, another user, another profile.
            (100, client(1_000, 812, 51, "research"), 7, false),
            (100, client(1_000, 813, 50, "research"), 7, false),
            (100, client(1_001, 812, 50, "research"), 7, false),
            (100, client(1_000, 812, 50, "ci"), 7, false),
        ] {
            assert_eq!(
                calls.is_second(at(now), &who, generation),
                is_second,
                "{now} {who:?} {generation}"
            );
        }
        // The expiry that the client was told last counts.
        calls.note(at(100), kubectl(), 8, at(400));
        assert!(!calls.is_second(at(100), &kubectl(), 7));
        assert!(!calls.is_second(at(100), &kubectl(), 8), "a short token");
    }

    #[test]
    fn calls_of_many_processes_and_users_use_bounded_memory() {
        let calls = SecondCalls::default();
        let remembered = || {
            calls
                .0
                .lock()
                .unwrap()
                .values()
                .map(VecDeque::len)
                .sum::<usize>()
        };
        for pid in 1..=2_000 {
            let one = client(1_000, pid, 50, "research");
            assert!(!calls.is_second(at(0), &one, 7));
            calls.note(at(0), one, 7, at(3_600));
        }
        assert_eq!(remembered(), CALLS);
        let newest = client(1_000, 2_000, 50, "research");
        assert!(calls.is_second(at(0), &newest, 7));
        for uid in 2_000..3_000 {
            calls.note(at(0), client(uid, 1, 50, "research"), 7, at(3_600));
        }
        assert_eq!(remembered(), CALLS + USERS - 1);
        // Calls that are no longer relevant make room.
        calls.note(at(3_240), client(5_000, 1, 50, "research"), 8, at(7_200));
        assert_eq!(remembered(), 1);
    }
}
