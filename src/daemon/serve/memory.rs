//! Limits the memory for request bodies and unread answers, in total and per user.
//!
//! A client decides how long a body takes to arrive and when it reads its answer. Without a limit, one user could make
//! the daemon hold 256 KiB for each of a few thousand connections. A request over the limit is refused at once, because
//! a waiting request would need memory as well.

use std::collections::{HashMap, HashSet};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;
use rustix::net::sockopt;

use crate::instant::Now;
use crate::problem::{Code, Problem};

/// Memory for bodies and unread answers, in bytes.
pub const TOTAL: usize = 6 * 1024 * 1024;

/// The part that one user may take, in bytes. It holds three bodies of the largest size.
pub const SHARE: usize = TOTAL / 8;

/// Free allowance of every request outside this budget, in bytes. Nearly all requests and answers fit into it and are
/// never refused.
pub const FREE: usize = 1_024;

/// Send buffer of a connection, in bytes (SO_SNDBUF). The kernel holds an answer that the peer does not read. It
/// doubles this size, and the last piece that it takes may exceed that by a half.
pub const SEND_BUFFER: usize = 12 * 1024;

/// The memory budget, and how much of it is taken.
#[derive(Debug)]
pub struct Memory(Mutex<Ledger>);

/// Charges the budget for the requests of one connection.
#[derive(Debug, Clone)]
pub(super) struct Account {
    memory: Arc<Memory>,
    uid: u32,
}

/// Memory that was taken from the budget. Dropping it returns the memory.
#[derive(Debug)]
pub(super) struct Charge {
    account: Account,
    bytes: usize,
}

/// Records how much memory each user has taken.
#[derive(Debug)]
struct Ledger {
    total: usize,
    share: usize,
    /// The users that have a share reserved for each: the daemon's own user and root.
    kept_for: [u32; 2],
    /// Sum of what all other users have taken.
    others: usize,
    per_uid: HashMap<u32, usize>,
    /// The users whose last request for memory was refused, until they return some.
    lacking: HashSet<u32>,
}

// === impl Memory ===

impl Memory {
    /// Creates the full budget for a daemon of this user.
    pub fn new(own_uid: u32) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Ledger::new(own_uid, TOTAL, SHARE))))
    }

    /// Returns the account of a connection of this user.
    pub(super) fn account(self: &Arc<Self>, uid: u32) -> Account {
        Account {
            memory: Arc::clone(self),
            uid,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        // Ignore poisoning: no code that can panic runs under the lock, so the ledger is always consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Account ===

impl Account {
    /// Takes the memory that a body or an answer of `size` bytes needs beyond [`FREE`]. Returns `None` if this user, or
    /// all users together, have taken too much.
    pub(super) fn take(&self, size: usize) -> Option<Charge> {
        let bytes = size.saturating_sub(FREE);
        if bytes > 0 && !self.memory.lock().take(self.uid, bytes) {
            return None;
        }
        Some(Charge {
            account: self.clone(),
            bytes,
        })
    }

    /// Whether this user's last request for memory was refused and none has been returned since. A large answer is not
    /// worth computing then.
    pub(super) fn is_lacking(&self) -> bool {
        self.memory.lock().lacking.contains(&self.uid)
    }

    /// Takes the memory for these bytes of an answer until the last of them is written. Returns `None` as
    /// [`Account::take`] does. An answer that is larger than a share, such as a list of thousands of profiles, needs
    /// the whole share, so a user gets one at a time.
    pub(super) fn hold(&self, bytes: Bytes) -> Option<Bytes> {
        if bytes.len() <= FREE {
            return Some(bytes);
        }
        let charge = self.take(bytes.len().min(SHARE + FREE))?;
        Some(Bytes::from_owner(ChargedBytes {
            bytes,
            _charge: charge,
        }))
    }
}

/// Bytes together with their charge, because they may be written long after the answer was made.
struct ChargedBytes {
    bytes: Bytes,
    _charge: Charge,
}

impl AsRef<[u8]> for ChargedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Limits how much of a connection's unread answers the kernel holds.
pub(super) fn limit_send_buffer(stream: &impl AsFd) {
    // This fails only for a descriptor that is not a socket.
    let _: Result<(), _> = sockopt::set_socket_send_buffer_size(stream, SEND_BUFFER);
}

/// Returns the problem of a request for which no memory is left at `now`.
pub(super) fn refusal(now: Now) -> Problem {
    let soon = now.unix_of(now.boot.after(Duration::from_secs(1)));
    no_memory().until(Some(soon))
}

fn no_memory() -> Problem {
    Problem::new(Code::Unavailable)
        .with_detail("large requests and unread answers hold all the memory that they may; read the answers, and try again")
}

/// Returns the whole response to a request whose head is too long for the memory that is left.
pub(super) fn refusal_bytes() -> Vec<u8> {
    let body = no_memory().to_json();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nRetry-After: 1\r\nConnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

// === impl Charge ===

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes > 0 {
            let Account { memory, uid } = &self.account;
            memory.lock().give(*uid, self.bytes);
        }
    }
}

// === impl Ledger ===

impl Ledger {
    fn new(own_uid: u32, total: usize, share: usize) -> Self {
        Self {
            total,
            share,
            kept_for: [own_uid, 0],
            others: 0,
            per_uid: HashMap::new(),
            lacking: HashSet::new(),
        }
    }

    /// Returns what all users without a reserved share may take together.
    fn for_others(&self) -> usize {
        let [own, root] = self.kept_for;
        let kept = if own == root { 1 } else { 2 };
        self.total.saturating_sub(kept * self.share)
    }

    fn take(&mut self, uid: u32, bytes: usize) -> bool {
        if bytes == 0 {
            return true;
        }
        let taken = self.per_uid.get(&uid).copied().unwrap_or_default();
        let is_other = !self.kept_for.contains(&uid);
        if bytes > self.share.saturating_sub(taken)
            || is_other && bytes > self.for_others().saturating_sub(self.others)
        {
            self.lacking.insert(uid);
            return false;
        }
        self.per_uid.insert(uid, taken + bytes);
        if is_other {
            self.others += bytes;
        }
        true
    }

    fn give(&mut self, uid: u32, bytes: usize) {
        self.lacking.remove(&uid);
        if let Some(taken) = self.per_uid.get_mut(&uid) {
            *taken = taken.saturating_sub(bytes);
            if *taken == 0 {
                self.per_uid.remove(&uid);
            }
        }
        if !self.kept_for.contains(&uid) {
            self.others = self.others.saturating_sub(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use proptest::prelude::*;

    use super::super::connections::{MAX_TOTAL, MAX_WAITING};
    use super::*;
    use crate::wire::{MAX_BODY, MAX_FRAME};

    const OWN: u32 = 1_000;

    #[test]
    fn a_refused_user_counts_as_lacking_memory_until_it_releases_some() {
        let memory = Memory::new(OWN);
        let (greedy, other) = (memory.account(7), memory.account(8));
        let all = greedy.take(SHARE + FREE).unwrap();
        assert!(!greedy.is_lacking(), "all of it is not too much");
        assert!(greedy.take(FREE + 1).is_none());
        assert!(greedy.is_lacking() && !other.is_lacking());
        drop(all);
        assert!(!greedy.is_lacking());
    }

    #[test]
    fn one_user_takes_at_most_an_eighth_of_the_memory() {
        assert_eq!(SHARE * 8, TOTAL);
        let memory = Memory::new(OWN);
        for uid in [OWN, 0, 7] {
            let charges: Vec<_> = (0..)
                .map_while(|_| memory.account(uid).take(MAX_FRAME + FREE))
                .collect();
            assert_eq!(charges.len(), 3, "{uid}");
            assert!(memory.account(uid).take(FREE + 1).is_none(), "{uid}");
            assert!(
                memory.account(uid).take(FREE).is_some(),
                "{uid}: outside of it"
            );
            drop(charges);
            assert!(memory.account(uid).take(SHARE + FREE).is_some(), "{uid}");
            assert!(
                memory.account(uid).take(SHARE + FREE + 1).is_none(),
                "{uid}"
            );
        }
        assert!(memory.lock().per_uid.is_empty());
    }

    #[test]
    fn memory_shares_are_reserved_for_the_daemon_user_and_root() {
        for (own, others) in [(OWN, 6), (0, 7)] {
            let memory = Memory::new(own);
            let charges: Vec<_> = (1..100)
                .map_while(|uid| memory.account(uid).take(SHARE + FREE))
                .collect();
            assert_eq!(charges.len(), others);
            assert!(memory.account(200).take(FREE + 1).is_none());
            let (ours, roots) = (
                memory.account(own).take(SHARE + FREE),
                memory.account(0).take(SHARE + FREE),
            );
            assert!(ours.is_some());
            assert_eq!(roots.is_some(), own != 0);
        }
    }

    #[test]
    fn worst_case_memory_use_fits_the_limit_of_the_service_unit() {
        const MIB: usize = 1024 * 1024;
        // Both tables, and the peers that are being refused.
        const CONNECTIONS: usize = MAX_TOTAL + 2 * 64;
        let resident = 12 * MIB + MAX_TOTAL * 12 * 1024 + 8 * MIB;
        let unread = CONNECTIONS * 3 * SEND_BUFFER;
        // Each waiting connection needs a file, an inode and a directory entry. The bytes that a peer has sent are
        // charged to the peer.
        let waiting = 2 * MAX_WAITING * 2 * 1024;
        for unit in [
            include_str!("../../../systemd/system/jetond.service"),
            include_str!("../../../systemd/user/jetond.service"),
        ] {
            let limit = unit
                .lines()
                .find_map(|line| line.strip_prefix("MemoryMax=")?.strip_suffix('M'));
            let limit = limit.unwrap().parse::<usize>().unwrap() * MIB;
            assert_eq!(limit, 256 * MIB);
            let all = resident + unread + waiting;
            assert!(all < limit, "{resident} {unread} {waiting}");
        }
    }

    #[test]
    fn the_send_buffer_limits_unread_answers_in_the_kernel() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        limit_send_buffer(&ours);
        ours.set_nonblocking(true).unwrap();
        let mut taken = 0;
        while let Ok(n) = (&ours).write(&[0; 64 * 1024]) {
            taken += n;
        }
        assert!((SEND_BUFFER..=3 * SEND_BUFFER).contains(&taken), "{taken}");
    }

    #[test]
    fn one_users_share_holds_the_largest_bodies_and_their_answers() {
        const { assert!(2 * MAX_FRAME + MAX_BODY <= SHARE) };
    }

    /// Checks the sums and every bound after any sequence of takes and returns.
    fn check(ledger: &Ledger, held: &[(u32, usize)]) {
        let sum = |of: &dyn Fn(u32) -> bool| -> usize {
            held.iter()
                .filter(|(uid, _)| of(*uid))
                .map(|(_, n)| n)
                .sum()
        };
        assert!(sum(&|_| true) <= ledger.total);
        assert_eq!(ledger.others, sum(&|uid| !ledger.kept_for.contains(&uid)));
        for uid in 0..12 {
            let taken = sum(&|other| other == uid);
            assert!(taken <= ledger.share);
            assert_eq!(ledger.per_uid.get(&uid).copied().unwrap_or_default(), taken);
        }
        assert!(ledger.per_uid.values().all(|taken| *taken > 0));
    }

    proptest! {
        #![proptest_config(crate::testing::many_cases())]
        #[test]
        fn no_sequence_of_charges_exceeds_a_bound_or_leaks_memory(
            own in 0..3_u32,
            steps in proptest::collection::vec((any::<bool>(), 0..12_u32, 0..120_usize), 0..120),
        ) {
            let mut ledger = Ledger::new(own, 800, 100);
            let mut held = vec![];
            for (takes, uid, n) in steps {
                if takes {
                    let before: usize = held.iter().filter(|(other, _)| *other == uid).map(|(_, n)| n).sum();
                    let granted = ledger.take(uid, n);
                    if granted {
                        held.push((uid, n));
                    } else if ledger.kept_for.contains(&uid) {
                        // Other users can never take the shares that are reserved for these two users.
                        prop_assert!(before + n > ledger.share);
                    }
                } else if !held.is_empty() {
                    let (uid, n) = held.swap_remove(n % held.len());
                    ledger.give(uid, n);
                }
                check(&ledger, &held);
            }
            for (uid, n) in held.drain(..) {
                ledger.give(uid, n);
            }
            check(&ledger, &held);
        }
    }
}
