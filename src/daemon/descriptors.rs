//! Divides the file descriptors between the parts of the daemon.
//!
//! Each connection needs a descriptor, and so does everything that refreshes tokens. If connections could take all
//! descriptors, a single caller could stop the refreshes of every profile.

use super::keep::bulkhead;
use super::serve::connections::{Limits, MAX_PER_UID, MAX_TOTAL, MAX_WAITING};
use super::serve::refusals::MAX_LINGERING;

/// Descriptors of one attempt at the same time: two sockets to the issuer (IPv6 and IPv4), two of the system's
/// resolver, a file of certificates or of the store, and that file's folder.
const PER_ATTEMPT: u64 = 6;

/// Minimum and maximum of the reserve. It covers a reload's configuration, the credential store, the log, descriptors
/// opened after the count, and the event loops of the threads that speak to issuers. A daemon with one profile opens
/// seven after the count.
const SPARE: [u64; 2] = [14, 24];

/// Minimum of the limits at the token socket: for one user, and in total with the places reserved for the daemon's user
/// and root. It applies even if it exceeds the free descriptors, because a daemon that accepts no connection cannot
/// serve any token.
const LEAST: u64 = 8;
const LEAST_OF_ALL: u64 = LEAST + 2;

/// Minimum and maximum number of connections at the admin socket.
const ADMIN: [u64; 2] = [4, 64];

/// Maximum number of connections per socket that have lost their place and have not ended yet.
const MAX_LEAVING: u64 = 16;

/// Assumed number of open descriptors on a system that does not list them.
const USUAL: u64 = 32;

/// Limits for everything that needs descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Connections at the token socket.
    pub connections: usize,
    /// Of these, connections of one user.
    pub per_uid: usize,
    /// Of these, connections reserved for the daemon's user and root.
    pub kept: usize,
    /// Connections at the admin socket. Only our user and root can reach it, so one user may have all of them.
    pub admin: usize,
    /// Additional connections at each socket that have lost their place and have not ended yet.
    pub leaving: usize,
    /// Connections at both sockets that were refused and have not ended yet.
    pub refused: usize,
    /// Accepted connections at the token socket that wait for a place. As many again may wait for their refusal.
    pub waiting: usize,
    /// Attempts to get a token that run at once.
    pub attempts: usize,
}

impl Caps {
    /// Divides `limit` descriptors (`RLIMIT_NOFILE`), of which `used` stay open.
    ///
    /// Attempts get a quarter of the free descriptors. The admin socket and the refused connections get a sixteenth
    /// each, and the connections that leave a socket get a sixty-fourth. A third is the reserve. Each share has a
    /// minimum and a maximum. Connections at the token socket get the rest, and accepted connections that wait get what
    /// is left after that.
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

    /// Returns the limits at the token socket.
    pub const fn at_tokens(&self) -> Limits {
        Limits {
            total: self.connections,
            per_uid: self.per_uid,
            kept: self.kept,
            leaving: self.leaving,
            waiting: self.waiting,
        }
    }

    /// Returns the limits at the admin socket.
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
    /// The descriptors that stay open.
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

    /// Returns the limits. They do not depend on the number of profiles, because a profile at rest has no descriptor
    /// open.
    pub fn caps(self) -> Caps {
        Caps::of(self.limit, self.used)
    }
}

/// Counts the open descriptors of this process. Returns an assumed number on a system that does not list them.
fn open_now() -> u64 {
    let entries = std::fs::read_dir("/proc/self/fd").or_else(|_| std::fs::read_dir("/dev/fd"));
    // The listing itself occupies a descriptor during the count.
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
    fn caps_follow_the_descriptor_limit_and_never_exceed_free_descriptors() {
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
            // Most of the limit is taken by descriptors that stay open.
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
            // At the larger limit, the other shares may grow as well, by one descriptor each.
            assert!(
                larger.connections + larger.attempts * 6 + 3
                    >= caps.connections + caps.attempts * 6
            );
            assert!(caps.per_uid < caps.connections && caps.kept < caps.connections);
            assert!(caps.per_uid + caps.kept <= caps.connections, "{caps:?}");
        }
    }

    #[test]
    fn open_descriptors_are_counted() {
        let before = open_now();
        let files: Vec<_> = (0..50).map(|_| File::open("/dev/null").unwrap()).collect();
        // Other tests in this process open and close some descriptors meanwhile.
        assert!(open_now() >= before.saturating_sub(20) + 50, "{before}");
        drop(files);
    }
}
