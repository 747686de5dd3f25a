//! A broken promise, and which one it is.

use std::fmt;

use crate::history::At;

/// What has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// No token is served that has expired, or that was never given.
    Expired,
    /// Generations never go back, and each is one token.
    Generations,
    /// No call inside a back-off, but for the reasons that allow it.
    BackOff,
    /// What is due is done: the soft refresh, the retry, the last call before the expiry.
    Punctual,
    /// No request past its deadline.
    Deadline,
    /// No failure while a token with 10 s left is held.
    Served,
    /// No attempt before the end of the wait that the issuer stated, but the one last call before the expiry.
    RetryAfter,
    /// No more calls than the budget allows.
    Budget,
    /// No more than 250 failed attempts in an hour, whatever callers do.
    Failures,
    /// One call at a time.
    OneAtATime,
    /// One call for all who wait, who are all served with it.
    Shared,
    /// One refresh for each reported token, the newer one at once to the late, and what is reported is stale.
    Reports,
    /// A cool-down binds the user whose reports caused it, and users other than our own have a budget for all of them.
    Reporters,
    /// Who watches is told of each token once, in order, and of all when it reads on.
    Watches,
    /// When everything works, everybody is served.
    Recovers,
    /// The secret that the issuer accepted last is sent when the one that took its place is rejected.
    Former,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) rule: Rule,
    pub(crate) at: At,
    pub(crate) text: String,
}

impl Finding {
    pub(super) fn new(rule: Rule, at: At, text: String) -> Self {
        Self { rule, at, text }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}: {}", self.at, self.rule, self.text)
    }
}
