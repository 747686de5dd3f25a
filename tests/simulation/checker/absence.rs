//! An address without a token endpoint: for how long it has been so.

use std::time::Duration;

use jetond::fault::FaultKind;
use jetond::instant::BootInstant;

use super::attempts::Attempt;
use super::held::Held;
use super::moments::{FLOOR, Window, last_call};
use super::record::CallEnd;

/// For so long it is asked as any issuer that fails …
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// … and then once in this time.
const PROBE: Duration = Duration::from_secs(5 * 60);

/// Since when no attempt has found an endpoint: at the earliest, and at the latest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Absence {
    earliest: BootInstant,
    latest: BootInstant,
}

impl Absence {
    /// After a failed attempt. A suspend before it may have started the time over.
    pub(super) fn after(before: Option<Self>, attempt: &Attempt, has_slept: bool) -> Option<Self> {
        let is_absent = matches!(attempt.last.end, CallEnd::Failed(FaultKind::NoEndpoint, _));
        let new = Self {
            earliest: attempt.from.boot,
            latest: attempt.begun.boot,
        };
        is_absent.then_some(match before {
            Some(before) if has_slept => Self {
                latest: new.latest,
                ..before
            },
            Some(before) => before,
            None => new,
        })
    }

    /// Whether the address is surely only probed.
    pub(super) fn is_long(&self, at: BootInstant) -> bool {
        at.since(self.latest) >= PATIENCE
    }

    /// What the back-off comes to after an attempt that failed at `now`, which is one end of what is possible.
    pub(super) fn delays(&self, window: Window, now: BootInstant, held: Option<&Held>) -> Window {
        let probe = now.after(PROBE);
        let (mut from, mut until) = (probe, probe);
        if let Some((first, last)) = held.map(last_call) {
            if now < last {
                from = from.min(first.max(now.after(FLOOR)));
            }
            if now < first {
                until = until.min(last.max(now.after(FLOOR)));
            }
        }
        Window {
            from: if self.is_long(now) {
                window.from.max(from)
            } else {
                window.from
            },
            until: if now.since(self.earliest) >= PATIENCE {
                window.until.max(until)
            } else {
                window.until
            },
        }
    }
}
