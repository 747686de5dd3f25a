//! How many descriptors each part of the daemon may use.
//!
//! A connection needs one, and so does everything that keeps tokens fresh. If connections could take all of them, a
//! single caller could starve the refreshes of every profile.

use super::keep::bulkhead;
use super::serve::connections::{MAX_PER_UID, MAX_TOTAL};

/// What one attempt may have open at once: two sockets to the issuer (IPv6 and IPv4), two of the system's resolver, a
/// file of certificates or of the store, and that file's folder.
const PER_ATTEMPT: u64 = 6;

/// Reserve for a reload's configuration, the credential store, the log, what is opened after the count, and the event loops of
/// the threads that speak to issuers.
const SPARE: u64 = 24;

/// The minimum of connections at the token socket, even if it exceeds the free descriptors: a daemon that accepts none
/// cannot serve a token at all.
const LEAST: u64 = 8;

/// The minimum and the maximum of connections at the admin socket.
const ADMIN: [u64; 2] = [4, 64];

/// Assumed number of open descriptors where the system does not list them.
const USUAL: u64 = 32;

/// The limits of everything that needs descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Connections at the token socket.
    pub connections: usize,
    /// Of these, connections of one user.
    pub per_uid: usize,
    /// Connections at the admin socket. Only our user and root reach it, so one user may have all of them.
    pub admin: usize,
    /// Attempts to get a token that run at once.
    pub attempts: usize,
}

impl Caps {
    /// Divides `limit` descriptors (`RLIMIT_NOFILE`), of which `used` stay open.
    ///
    /// A quarter of the free ones goes to attempts and a sixteenth to the admin socket, up to their maximum each;
    /// connections at the token socket get the rest.
    pub fn of(limit: u64, used: u64) -> Self {
        let free = limit.saturating_sub(used);
        let attempts = (free / 4 / PER_ATTEMPT).clamp(1, as_u64(bulkhead::IN_ALL));
        let admin = (free / 16).clamp(ADMIN[0], ADMIN[1]);
        let connections = free
            .saturating_sub(attempts * PER_ATTEMPT + admin + SPARE)
            .clamp(LEAST, as_u64(MAX_TOTAL));
        let connections = as_usize(connections);
        Self {
            connections,
            per_uid: connections * MAX_PER_UID / MAX_TOTAL,
            admin: as_usize(admin),
            attempts: as_usize(attempts),
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

    /// Returns the caps for this many profiles, each of which has a timer.
    pub fn caps(self, profiles: usize) -> Caps {
        Caps::of(self.limit, self.used.saturating_add(as_u64(profiles)))
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
        for (limit, used, connections, per_uid, admin, attempts) in [
            // Nothing is free: every limit is at its minimum.
            (0, 0, 8, 6, 4, 1),
            (32, 32, 8, 6, 4, 1),
            (20, 1_000, 8, 6, 4, 1),
            (64, 30, 8, 6, 4, 1),
            (128, 30, 44, 33, 6, 4),
            (256, 30, 134, 100, 14, 9),
            (256, 230, 8, 6, 4, 1),
            (1_024, 30, 662, 496, 62, 41),
            // With a thousand profiles, each with a timer.
            (1_024, 1_030, 8, 6, 4, 1),
            (2_048, 1_030, 679, 509, 63, 42),
            (4_096, 30, 3_210, 2_407, 64, 128),
            (4_390, 30, 3_504, 2_628, 64, 128),
            (5_000, 30, 4_096, 3_072, 64, 128),
            (20_000, 30, 4_096, 3_072, 64, 128),
            (u64::MAX, 30, 4_096, 3_072, 64, 128),
        ] {
            let expected = Caps {
                connections,
                per_uid,
                admin,
                attempts,
            };
            assert_eq!(Caps::of(limit, used), expected, "{limit} {used}");
        }
        for limit in 72..6_000 {
            let caps = Caps::of(limit, 30);
            let all = as_u64(caps.connections + caps.admin) + as_u64(caps.attempts) * PER_ATTEMPT;
            assert!(all + 30 + SPARE <= limit, "{limit} {caps:?}");
            let larger = Caps::of(limit + 1, 30);
            assert!(
                larger.connections + larger.attempts * 6 >= caps.connections + caps.attempts * 6
            );
            assert!(caps.per_uid < caps.connections);
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
