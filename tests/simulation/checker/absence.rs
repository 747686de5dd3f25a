//! How long an address has had no token endpoint.

use std::time::Duration;

use jetond::fault::FaultKind;
use jetond::instant::BootInstant;

use super::attempts::Attempt;
use super::held::Held;
use super::moments::{FLOOR, Window, last_call};
use super::record::CallEnd;

/// During this time the address gets retries like any failing issuer.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// The interval of attempts after that.
const PROBE: Duration = Duration::from_secs(5 * 60);

/// The first attempt without an endpoint since the last one that found it: its earliest and latest possible time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Absence {
    earliest: BootInstant,
    latest: BootInstant,
}

impl Absence {
    /// Returns the absence after a failed attempt. A suspend before the attempt may have restarted it.
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

    /// Returns whether the address surely gets only probes by now.
    pub(super) fn is_long(&self, at: BootInstant) -> bool {
        at.since(self.latest) >= PATIENCE
    }

    /// Returns the back-off after an attempt that failed at `now`, which is one bound of the possible times.
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
