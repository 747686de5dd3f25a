//! Records whether clients got the real expiry of the current token.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tracing::info;

use crate::lifecycle::View;
use crate::profile::ProfileName;

/// The token whose real expiry a client got, if any.
#[derive(Debug, Default)]
pub(super) struct RealExpiryLog {
    /// The last generation whose real expiry a client got, or 0.
    generation: AtomicU64,
    /// Whether this has been logged.
    is_logged: AtomicBool,
}

// === impl Told ===

impl RealExpiryLog {
    /// Records that a client got the real expiry of the token of this generation. Logs it once.
    pub(super) fn note(&self, profile: &ProfileName, generation: u64) {
        self.generation.store(generation, Ordering::Relaxed);
        if !self.is_logged.swap(true, Ordering::Relaxed) {
            info!(
                %profile,
                generation,
                "a tool got the real expiry of the token, since no refresh is certain to end in time for it: it may ask at each use"
            );
        }
    }

    /// Whether a client got the real expiry of the token in this view.
    pub(super) fn is_real(&self, view: &View) -> bool {
        let told = self.generation.load(Ordering::Relaxed);
        view.held
            .as_ref()
            .is_some_and(|held| held.generation == told)
    }
}
