//! How many descriptors each part of the daemon may use.
//!
//! A connection needs one, and so does everything that keeps tokens fresh. If connections could take all of them, a
//! single caller could starve the refreshes of every profile.

use super::keep::bulkhead;
use super::serve::connections::{Limits, MAX_PER_UID, MAX_TOTAL, MAX_WAITING};
use super::serve::refusals::MAX_LINGERING;

/// What one attempt may have open at once: two sockets to the issuer (IPv6 and IPv4), two of the system's resolver, a
/// file of certificates or of the store, and that file's folder.
const PER_ATTEMPT: u64 = 6;

/// The minimum and the maximum of the reserve for a reload's configuration, the credential store, the log, what is opened
/// after the count, and the event loops of the threads that speak to issuers. A daemon with one profile opens seven after
/// the count.
const SPARE: [u64; 2] = [14, 24];

/// The minimum of connections of one user at the token socket, and of all, with the places kept for the daemon's user and
/// root. It holds even if it exceeds the free descriptors: a daemon that accepts none cannot serve a token at all.
const LEAST: u64 = 8;
const LEAST_OF_ALL: u64 = LEAST + 2;

/// The minimum and the maximum of connections at the admin socket.
const ADMIN: [u64; 2] = [4, 64];

/// The maximum of connections that have lost their place and have not ended yet, at each socket.
const MAX_LEAVING: u64 = 16;

/// Assumed number of open descriptors where the system does not list them.
const USUAL: u64 = 32;

/// The limits of everything that needs descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Connections at the token socket.
    pub connections: usize,
    /// Of these, connections of one user.
    pub per_uid: usize,
    /// Of these, connections that only the daemon's user and root can have.
    pub kept: usize,
    /// Connections at the admin socket. Only our user and root reach it, so one user may have all of them.
    pub admin: usize,
    /// Beside these, connections at each socket that have lost their place and have not ended yet.
    pub leaving: usize,
    /// Connections at both sockets that are refused and have not ended yet.
    pub refused: usize,
    /// Accepted connections at the token socket that wait for a place; as many others may wait for their refusal.
    pub waiting: usize,
    /// Attempts to get a token that run at once.
    pub attempts: usize,
}

impl Caps {
    /// Divides `limit` descriptors (`RLIMIT_NOFILE`), of which `used` stay open.
    ///
    /// A quarter of the free ones goes to attempts, a sixteenth to the admin socket, another one to refused connections
    /// and a sixty-fourth to those that leave a socket, up to their maximum each, a third is the reserve; connections at
    /// the token socket get the rest, and accepted ones that wait get what is left after that.
    pub fn of(limit: u64, used: u64) -> Self {
        let free = limit.saturating_sub(used);
        let attempts = (free / 4 / PER_ATTEMPT).clamp(1, as_u64(bulkhead::IN_ALL));
        let admin = (free / 16).clamp(ADMIN[0], ADMIN[1]);
        let refused = (free / 16).clamp(1, as_u64(MAX_LINGERING));
        let leaving = (free / 64).clamp(1, MAX_LEAVING);
        let spare = (free / 3).clamp(SPARE[0], SPARE[1]);
        let rest =
            free.saturating_sub(attempts * PER_ATTEMPT + admin + refused + 2 * leaving + spare);
        let connections = rest.clamp(LEAST_OF_ALL, as_u64(MAX_TOTAL));
        let waiting = (rest.saturating_sub(connections) / 2).min(as_u64(MAX_WAITING));
        let connections = as_usize(connections);
        Self {
            connections,
            per_uid: (connections * MAX_PER_UID / MAX_TOTAL).max(as_usize(LEAST)),
            kept: connections.div_ceil(16).max(2),
            admin: as_usize(admin),
            leaving: as_usize(leaving),
            refused: as_usize(refused),
            waiting: as_usize(waiting),
            attempts: as_usize(attempts),
        }
    }

    /// The limits at the token socket.
    pub const fn at_tokens(&self) -> Limits {
        Limits {
            total: self.connections,
            per_uid: self.per_uid,
            kept: self.kept,
            leaving: self.leaving,
            waiting: self.waiting,
        }
    }

    /// The limits at the admin socket.
    pub const fn at_admin(&self) -> Limits {
        Limits {
            total: self.admin,
            per_uid: self.admin,
            kept: 0,
            leaving: self.leaving,
            waiting: 0,
        }
    }
}

/// The descriptors of this process.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    limit: u64,
    /// Those that stay open.
    used: u64,
}

impl Budget {
    /// Counts the descriptors that are open now. Call it once the sockets are open.
    pub fn of_this_process(limit: u64) -> Self {
        Self {
            limit,
            used: open_now(),
        }
    }

    /// Returns the caps. They are the same for any number of profiles: a profile at rest has no descriptor open.
    pub fn caps(self) -> Caps {
        Caps::of(self.limit, self.used)
    }
}

/// Counts the open descriptors of this process; returns an assumed number where the system does not list them.
fn open_now() -> u64 {
    let entries = std::fs::read_dir("/proc/self/fd").or_else(|_| std::fs::read_dir("/dev/fd"));
    // The listing itself is open while it is counted.
    entries.map_or(USUAL, |entries| as_u64(entries.count()).saturating_sub(1))
}

fn as_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn as_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn the_caps_follow_the_limit_and_never_exceed_what_is_free() {
        for (limit, used, connections, per_uid, kept, admin, rest) in [
            // Nothing is free: every limit is at its minimum.
            (0, 0, 10, 8, 2, 4, [1, 1, 1, 0]),
            (32, 32, 10, 8, 2, 4, [1, 1, 1, 0]),
            (20, 1_000, 10, 8, 2, 4, [1, 1, 1, 0]),
            (64, 30, 10, 8, 2, 4, [1, 2, 1, 0]),
            (96, 30, 22, 16, 2, 4, [1, 4, 2, 0]),
            (128, 30, 36, 27, 3, 6, [1, 6, 4, 0]),
            (256, 30, 114, 85, 8, 14, [3, 14, 9, 0]),
            (256, 230, 10, 8, 2, 4, [1, 1, 1, 0]),
            (1_024, 30, 570, 427, 36, 62, [15, 62, 41, 0]),
            // With much that stays open.
            (1_024, 1_030, 10, 8, 2, 4, [1, 1, 1, 0]),
            (2_048, 1_030, 586, 439, 37, 63, [15, 63, 42, 0]),
            (4_096, 30, 3_114, 2_335, 195, 64, [16, 64, 128, 0]),
            (5_078, 30, 4_096, 3_072, 256, 64, [16, 64, 128, 0]),
            (8_192, 30, 4_096, 3_072, 256, 64, [16, 64, 128, 1_557]),
            (20_000, 30, 4_096, 3_072, 256, 64, [16, 64, 128, 4_096]),
            (u64::MAX, 30, 4_096, 3_072, 256, 64, [16, 64, 128, 4_096]),
        ] {
            let expected = Caps {
                connections,
                per_uid,
                kept,
                admin,
                leaving: rest[0],
                refused: rest[1],
                attempts: rest[2],
                waiting: rest[3],
            };
            assert_eq!(Caps::of(limit, used), expected, "{limit} {used}");
        }
        for limit in 68..9_000 {
            let caps = Caps::of(limit, 30);
            let sockets =
                caps.connections + caps.admin + caps.refused + 2 * (caps.leaving + caps.waiting);
            let all = as_u64(sockets) + as_u64(caps.attempts) * PER_ATTEMPT;
            assert!(all + 30 + SPARE[0] <= limit, "{limit} {caps:?}");
            assert!(
                limit < 128 || all + 30 + SPARE[1] <= limit,
                "{limit} {caps:?}"
            );
            let larger = Caps::of(limit + 1, 30);
            // One more for each of the other shares may begin at the same limit.
            assert!(
                larger.connections + larger.attempts * 6 + 3
                    >= caps.connections + caps.attempts * 6
            );
            assert!(caps.per_uid < caps.connections && caps.kept < caps.connections);
            assert!(caps.per_uid + caps.kept <= caps.connections, "{caps:?}");
        }
    }

    #[test]
    fn what_is_open_is_counted() {
        let before = open_now();
        let files: Vec<_> = (0..50).map(|_| File::open("/dev/null").unwrap()).collect();
        // Other tests of this process open and close some meanwhile.
        assert!(open_now() >= before.saturating_sub(20) + 50, "{before}");
        drop(files);
    }
}
