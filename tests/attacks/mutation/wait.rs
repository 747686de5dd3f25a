//! How long a daemon waits where it is asked to.

use std::time::Duration;

/// For a token, when the caller does not say.
pub(super) const UNSAID: Duration = jetond::wire::DEFAULT_MAX_WAIT;

/// The same for the client of a tool, which waits longer for its helper.
pub(super) const OF_A_TOOL: Duration = Duration::from_secs(9);

/// For a token at most.
pub(super) const MOST: Duration = jetond::wire::MAX_MAX_WAIT;

/// For the rest of a request that has begun: the longer of those for its head and for its body.
pub(super) const REST: Duration = Duration::from_secs(5);
