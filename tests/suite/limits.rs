//! Limits on requests: what no local tool sends is refused, and slow, silent or greedy clients do not affect others.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

mod crowds;
mod heads;

use crate::support::TestEnv;
use crate::support::daemon::Daemon;

fn assert_serves(env: &TestEnv, daemon: &Daemon) {
    assert_eq!(env.get(daemon, "/healthz").status, 200);
}
