//! The table of other tools' protocols, one per file.
//!
//! A tool starts the companion under a name of its own (`docker-credential-jeton`) or with the protocol's verb (`jeton
//! git get`). A row says how long its client keeps an answer and how long it waits for one.

use std::time::Duration;

use super::row::Verb;

/// A row of the table.
pub(super) struct Tool {
    /// The verb, and the name under which the tool starts the companion.
    pub(super) verb: Verb,
    /// How its client keeps what it is given.
    pub(super) client: Client,
}

/// How a tool treats the answer of its helper.
pub(super) struct Client {
    /// How long it keeps a token for which its protocol states no expiry; zero if it asks each time, or is told the
    /// expiry.
    pub(super) interval: Duration,
    /// How long before the stated expiry it comes back by itself.
    pub(super) window: Duration,
    /// How long it waits for its helper; `None` if that is not known.
    pub(super) timeout: Option<Duration>,
    /// Where that is written.
    pub(super) source: &'static str,
}

/// The table, in the order of the help.
pub(super) static TABLE: &[Tool] = &[];

// === impl Client ===

impl Client {
    /// How long the daemon may take for an answer: a second less than the client waits; 4 s where that is not known; at
    /// most 9 s.
    pub(super) fn deadline(&self) -> Duration {
        const UNKNOWN: Duration = Duration::from_secs(4);
        const MOST: Duration = Duration::from_secs(9);
        let less = |timeout: Duration| timeout.saturating_sub(Duration::from_secs(1));
        self.timeout.map_or(UNKNOWN, less).min(MOST)
    }

    /// The validity that a token must have left for a client that keeps it and is told no expiry.
    pub(super) fn min_valid(&self) -> Duration {
        const MORE: Duration = Duration::from_secs(60);
        if self.interval.is_zero() {
            Duration::ZERO
        } else {
            self.interval + MORE
        }
    }
}
