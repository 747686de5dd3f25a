//! A broken promise, and the rule behind it.

use std::fmt;

use crate::history::Moment;

/// The promises to clients and issuers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// No token is served after its expiry, or without having been granted.
    Expired,
    /// Generations never go back, and each is one token.
    Generations,
    /// No call begins during a back-off, except for the permitted causes.
    BackOff,
    /// Due attempts are made: the soft refresh, the retry, the last call before the expiry.
    Punctual,
    /// No request is answered after its deadline.
    Deadline,
    /// No request fails while a token with 10 s left is held.
    Served,
    /// No attempt begins before the end of the wait that the issuer stated, except one last call before the expiry.
    RetryAfter,
    /// No more calls are made than the budget allows.
    Budget,
    /// No more than 250 attempts fail in an hour, whatever callers do.
    Failures,
    /// Only one call runs at a time.
    OneAtATime,
    /// One call serves all waiting requests.
    Shared,
    /// Each reported token leads to one refresh; later reports get the newer token at once; and a reported token is
    /// stale.
    Reports,
    /// A cool-down affects the user whose reports caused it. Users other than our own share one budget.
    Reporters,
    /// A watcher gets each token once and in order, and all of them if it keeps reading.
    Watches,
    /// When everything works, all requests are served.
    Recovers,
    /// The secret that the issuer accepted last is sent when its successor is rejected.
    Former,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) rule: Rule,
    pub(crate) at: Moment,
    pub(crate) text: String,
}

impl Finding {
    pub(super) fn new(rule: Rule, at: Moment, text: String) -> Self {
        Self { rule, at, text }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}: {}", self.at, self.rule, self.text)
    }
}
