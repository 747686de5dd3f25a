//! What the clients of tools were told of the held token's expiry.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tracing::info;

use crate::lifecycle::View;
use crate::profile::ProfileName;

/// Whether clients were told a real expiry.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The last generation whose real expiry a client was told; 0 if there was none.
    generation: AtomicU64,
    /// Whether the log says so.
    is_logged: AtomicBool,
}

// === impl Told ===

impl Told {
    /// Records that a client was told the real expiry of the token of this generation. The log says so once.
    pub(super) fn note(&self, profile: &ProfileName, generation: u64) {
        self.generation.store(generation, Ordering::Relaxed);
        if !self.is_logged.swap(true, Ordering::Relaxed) {
            info!(
                %profile,
                generation,
                "a tool was told the real expiry of the token, since no refresh is sure to come in time for it: it may ask each time"
            );
        }
    }

    /// Whether a client was told the real expiry of the token that this view shows.
    pub(super) fn is_real(&self, view: &View) -> bool {
        let told = self.generation.load(Ordering::Relaxed);
        view.held
            .as_ref()
            .is_some_and(|held| held.generation == told)
    }
}
