//! Maximum times for which a daemon waits at a caller's request.

use std::time::Duration;

/// The wait for a token if the caller states none.
pub(super) const UNSAID: Duration = jetond::wire::DEFAULT_MAX_WAIT;

/// The same for a tool's client, whose helper waits longer.
pub(super) const OF_A_TOOL: Duration = Duration::from_secs(9);

/// The longest wait for a token.
pub(super) const MOST: Duration = jetond::wire::MAX_MAX_WAIT;

/// The wait for the rest of a request that has begun: the longer of the limits for its head and its body.
pub(super) const REST: Duration = Duration::from_secs(5);
