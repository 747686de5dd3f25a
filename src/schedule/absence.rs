//! When to ask again at an address that has no token endpoint.

use std::time::Duration;

use super::{FLOOR, last_call};
use crate::instant::BootInstant;
use crate::token::Validity;

/// For how long the address is asked as often as an issuer that fails: an ingress has no route while the issuer restarts,
/// and a firewall blocks for a while.
pub const ABSENCE_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// The time between two attempts after that. The address is wrong, most likely, and a person has to mend it.
pub const ABSENCE_PROBE: Duration = Duration::from_secs(5 * 60);

/// Whether the address is only probed, since it has had no token endpoint since `since`.
pub fn is_absence_long(now: BootInstant, since: BootInstant) -> bool {
    now.since(since) >= ABSENCE_PATIENCE
}

/// When to try again instead of at `retry`, the moment that the back-off gives, where there has been no token endpoint
/// since `since`. The last call before the expiry of the held token is made in any case.
pub fn absence_due(
    now: BootInstant,
    since: BootInstant,
    retry: BootInstant,
    held: Option<&Validity>,
) -> BootInstant {
    if !is_absence_long(now, since) {
        return retry;
    }
    let probe = retry.max(now.after(ABSENCE_PROBE));
    let last_call = held.filter(|held| held.holds(now)).map(last_call);
    match last_call {
        Some(call) if now < call => probe.min(call.max(now.after(FLOOR))),
        _ => probe,
    }
}
