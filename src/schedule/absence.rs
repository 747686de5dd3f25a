//! Schedule for an address that has no token endpoint.

use std::time::Duration;

use super::{FLOOR, last_call};
use crate::instant::BootInstant;
use crate::token::Validity;

/// How long the address is asked as often as any issuer that fails. An ingress has no route while the issuer restarts,
/// and a firewall may block for a while.
pub const ABSENCE_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Time between two attempts after that. The address is probably wrong, and the user has to correct it.
pub const ABSENCE_PROBE: Duration = Duration::from_secs(5 * 60);

/// Whether the address has had no token endpoint for so long, since `since`, that it is only probed.
pub fn is_absence_long(now: BootInstant, since: BootInstant) -> bool {
    now.since(since) >= ABSENCE_PATIENCE
}

/// Returns when to retry at an address that has had no token endpoint since `since`. `retry` is the moment that the
/// back-off gives. The last attempt before the expiry of the held token is made in any case.
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
