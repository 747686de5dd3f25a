//! How many connections may wait to be accepted.
//!
//! Mostly, many may: when no more may wait, a client that does not block gets an error. But all wait in one row. Users
//! that connect again as soon as their connections are refused or closed fill it, and everybody else would stand behind
//! them. So few may wait while many connections come to nothing: a client that blocks then has its turn soon, because
//! the kernel lets blocked clients in by the order in which they came. A socket that a service manager passed keeps the
//! backlog of its unit: clients wait there while the service restarts.

use std::time::Duration;

use tracing::debug;

use super::acceptor::Acceptor;
use crate::instant::BootInstant;

/// How many may wait, as many as may be open.
pub const LONG: i32 = 4_096;

/// How many may wait while many come to nothing, chosen by `benches/attacks`. Of two users who renew 6,144 connections,
/// an honest client's new connection takes 1.2 times as long as at a bare server when 8 may wait, 3 to 5 times with 16, 20
/// times with 64, and 300 times with 1,024.
const SHORT: i32 = 8;

/// So many connections that come to nothing within [`WITHIN`] make the row short.
const MANY: u64 = 64;
const WITHIN: Duration = Duration::from_secs(1);

/// How long the row stays short after that.
const REST: Duration = Duration::from_secs(5);

/// Decides on the backlog of one listening socket.
#[derive(Debug)]
pub(super) struct Backlog {
    /// The count of connections that had come to nothing at a moment of the last second.
    counted: u64,
    at: BootInstant,
    short_until: Option<BootInstant>,
}

impl Backlog {
    /// The backlog of a socket of which `wasted` connections have come to nothing so far.
    pub(super) const fn new(wasted: u64, now: BootInstant) -> Self {
        Self {
            counted: wasted,
            at: now,
            short_until: None,
        }
    }

    /// Looks at the count of connections that have come to nothing, and changes how many may wait if it should.
    pub(super) fn look(&mut self, listener: &Acceptor, wasted: u64, now: BootInstant) {
        if let Some(length) = self.change(wasted, now) {
            debug!(
                length,
                "changed how many connections may wait to be accepted"
            );
            set(listener, length);
        }
    }

    /// Returns how many connections may wait from now on, if that changes.
    fn change(&mut self, wasted: u64, now: BootInstant) -> Option<i32> {
        let many = wasted.saturating_sub(self.counted) >= MANY;
        if many || now.since(self.at) >= WITHIN {
            (self.counted, self.at) = (wasted, now);
        }
        if many {
            let was_long = self.short_until.replace(now.after(REST)).is_none();
            return was_long.then_some(SHORT);
        }
        let is_over = self.short_until.is_some_and(|until| until <= now);
        is_over.then(|| {
            self.short_until = None;
            LONG
        })
    }

    /// Waits until the row may be long again; forever while it is.
    pub(super) async fn rested(&self) {
        if self.short_until.is_some() {
            tokio::time::sleep(REST).await;
        } else {
            std::future::pending::<()>().await;
        }
    }
}

fn set(listener: &Acceptor, length: i32) {
    if let Err(error) = listener.limit_backlog(length) {
        debug!(%error, "cannot change how many connections may wait to be accepted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_may_wait_while_many_come_to_nothing_and_for_a_while_after() {
        let start = BootInstant::from_boot(Duration::ZERO);
        let mut backlog = Backlog::new(1_000, start);
        // Milliseconds since the start, the count, and what changes.
        for (ms, wasted, change) in [
            (10, 1_063, None),
            (900, 1_063, None),
            (1_000, 1_063, None),
            (1_999, 1_126, None),
            (2_100, 1_126, None),
            (2_200, 1_190, Some(SHORT)),
            (2_300, 1_254, None),
            (2_301, 1_300, None),
            (7_299, 1_300, None),
            (7_300, 1_300, Some(LONG)),
            (7_400, 1_400, Some(SHORT)),
            (60_000, 1_463, Some(LONG)),
            (61_000, 1_463, None),
        ] {
            let now = start.after(Duration::from_millis(ms));
            assert_eq!(backlog.change(wasted, now), change, "at {ms} ms");
        }
    }
}
