//! The window in which an attempt must follow another one.
//!
//! It does not repeat the formulas of `schedule` and their jitter, but has the bounds of their results.

use std::time::Duration;

use jetond::instant::BootInstant;
use jetond::schedule::Reissue;

use super::held::Held;
use super::row::RejectionRow;

pub(super) const FLOOR: Duration = Duration::from_millis(500);

/// The window in which the next attempt may begin without a further cause.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) from: BootInstant,
    pub(crate) until: BootInstant,
}

impl Window {
    /// Returns the later of both begins and the later of both ends.
    pub(crate) fn and_not_before(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            until: self.until.max(other.until),
        }
    }
}

/// Returns the window after a token: the middle of its lifetime, or shortly before its end if an earlier attempt
/// would not help. If the same token came again, the window is ever nearer to its end.
pub(crate) fn after_token(now: BootInstant, held: &Held, reissue: Reissue) -> Window {
    let soft = |part: f64| held.issued.after(held.lifetime.mul_f64(part));
    let (from, until) = match reissue {
        Reissue::Normal => (soft(0.40), soft(0.60)),
        Reissue::SameUntilExpiry | Reissue::KillsOld => {
            let from = held.surely.before(margin(held.longest) * 2);
            (from, held.at_most.before(margin(held.lifetime)))
        }
    };
    let near = now.after(held.surely.since(now).mul_f64(0.75));
    let far = now
        .after(held.at_most.since(now).mul_f64(0.85))
        // After its end, attempts become ever rarer.
        .max(now.after(now.since(held.surely).min(Duration::from_secs(60))));
    let (from, until) = match (held.repeated, held.extended) {
        (true, false) => (near, far),
        // It is uncertain whether this grant counts as an extension.
        (true, true) => (near.min(from), far.max(held.at_most)),
        (false, _) => (from, until),
    };
    let floor = now.after(FLOOR);
    Window {
        from: from.max(floor),
        until: until.max(floor),
    }
}

/// Returns the window after the failure number `failing` in a row, from 0. The wait is random up to a bound that
/// doubles to a cap, which is lower near the expiry. The window does not begin before the moment that the issuer asks
/// for, and never delays the last call before the expiry.
pub(crate) fn after_failure(
    now: BootInstant,
    failing: u32,
    held: Option<&Held>,
    not_before: Option<BootInstant>,
) -> Window {
    let floor = now.after(FLOOR);
    let wait = Duration::from_millis(500 << failing.min(10));
    let asked = not_before.map_or(now, |at| at.max(now));
    let free = Window {
        from: asked.max(floor),
        until: now
            .after(wait.min(Duration::from_secs(60)))
            .max(asked)
            .max(floor),
    };
    let Some(held) = held.filter(|held| now < held.at_most) else {
        return free;
    };
    let (first_last_call, last_last_call) = last_call(held);
    let late = now
        .max(held.at_most.before(Duration::from_secs(300)))
        .after(wait.min(Duration::from_secs(10)));
    let until = free.until.min(late.max(asked).max(floor));
    Window {
        from: if now < last_last_call {
            free.from.min(first_last_call.max(floor))
        } else {
            free.from
        },
        until: if now >= held.surely {
            free.until
        } else if now < first_last_call {
            until.min(last_last_call.max(floor))
        } else {
            until
        },
    }
}

/// Returns the earliest and latest time of the last call before the expiry.
pub(crate) fn last_call(held: &Held) -> (BootInstant, BootInstant) {
    (
        held.surely.before(margin(held.longest)),
        held.at_most.before(margin(held.lifetime)),
    )
}

/// Returns the window after rejections in a row: for retries, then for the circuit breaker's probes, and once more
/// before the held token expires.
pub(crate) fn after_rejection(
    now: BootInstant,
    rejections: RejectionRow,
    held: Option<&Held>,
) -> Window {
    let [from, until] = rejections.waits().map(|wait| now.after(wait));
    let Some(held) = held else {
        return Window { from, until };
    };
    let floor = now.after(FLOOR);
    let (first, last) = last_call(held);
    let in_time = |call: BootInstant, end: BootInstant| {
        if rejections.opens() {
            call
        } else {
            call.max(end.before(Duration::from_secs(2)))
        }
    };
    let (first, last) = (in_time(first, held.surely), in_time(last, held.at_most));
    Window {
        from: if now < last {
            from.min(first.max(floor))
        } else {
            from
        },
        until: if now < first {
            until.min(last.max(floor))
        } else {
            until
        },
    }
}

/// Returns the window after an attempt that could send nothing.
pub(crate) fn after_block(now: BootInstant) -> Window {
    let at = now.after(Duration::from_secs(60));
    Window {
        from: at,
        until: at,
    }
}

fn margin(lifetime: Duration) -> Duration {
    (lifetime / 10).min(Duration::from_secs(60))
}
