//! The endpoint of a control plane that gave the last token, and how long it has been absent since.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::endpoint::Endpoint;
use crate::instant::BootInstant;

/// How often, and for how long, the known endpoint must be absent before others are tried. A restarting server has no
/// route for a moment; its secret must not be sent to older endpoints because of that.
const ABSENCES: u32 = 3;
const ABSENT_FOR: Duration = Duration::from_secs(60);

/// The endpoint that gave the last token.
#[derive(Debug, Default)]
pub(super) struct KnownEndpoint(Mutex<State>);

#[derive(Debug, Clone, Copy, Default)]
struct State {
    endpoint: Option<Endpoint>,
    absence: Absence,
}

/// The consecutive answers that the known endpoint is absent.
#[derive(Debug, Clone, Copy, Default)]
struct Absence {
    times: u32,
    since: Option<BootInstant>,
}

// === impl Known ===

impl KnownEndpoint {
    /// Returns the endpoint; `None` before the first token.
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        self.state().endpoint
    }

    /// Records that this endpoint gave a token.
    pub(super) fn record_token(&self, endpoint: Endpoint) {
        *self.state() = State {
            endpoint: Some(endpoint),
            absence: Absence::default(),
        };
    }

    /// Records that this endpoint exists: it judged the request.
    pub(super) fn record_present(&self, endpoint: Endpoint) {
        let mut state = self.state();
        if state.endpoint == Some(endpoint) {
            state.absence = Absence::default();
        }
    }

    /// Records that the known endpoint was absent at `now`. Returns whether it has been absent for long enough to try
    /// others.
    pub(super) fn record_absent(&self, now: BootInstant) -> bool {
        self.state().absence.goes_on(now)
    }

    /// Makes the next attempt search for an endpoint, because the known one no longer has its grant.
    pub(super) fn forget(&self) {
        *self.state() = State::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Absence ===

impl Absence {
    fn goes_on(&mut self, now: BootInstant) -> bool {
        let since = *self.since.get_or_insert(now);
        self.times = self.times.saturating_add(1);
        self.times >= ABSENCES && now.since(since) >= ABSENT_FOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_gone_after_three_absences_over_60_s() {
        for (seconds, is_gone) in [
            (&[0, 60][..], false),
            (&[0, 1, 59], false),
            (&[0, 1, 60], true),
            (&[0, 30, 59, 61], true),
            (&[0, 300, 600], true),
        ] {
            let mut absence = Absence::default();
            let at = |s: u64| BootInstant::from_boot(Duration::from_secs(1_000 + s));
            let told: Vec<_> = seconds.iter().map(|s| absence.goes_on(at(*s))).collect();
            let (last, before) = told.split_last().unwrap();
            assert_eq!(*last, is_gone, "{seconds:?}");
            assert!(!before.contains(&true), "{seconds:?}");
        }
    }
}
