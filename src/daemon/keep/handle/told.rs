//! What the clients of tools were told of the held token's expiry.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tracing::info;

use super::Handle;
use crate::lifecycle::View;

/// Whether clients were told a real expiry.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The last generation whose real expiry a client was told; 0 if there was none.
    generation: AtomicU64,
    /// Whether the log says so.
    is_logged: AtomicBool,
}

// === impl Handle ===

impl Handle {
    /// Records that a client was told the real expiry of the token of this generation, since no refresh is sure to come in
    /// time for it. The log says so once, and the state for as long as the token is held.
    pub fn told_real_expiry(&self, generation: u64) {
        self.told.generation.store(generation, Ordering::Relaxed);
        if !self.told.is_logged.swap(true, Ordering::Relaxed) {
            info!(
                profile = %self.name,
                generation,
                "a tool was told the real expiry of the token, since no refresh is sure to come in time for it: it may ask each time"
            );
        }
    }
}

// === impl Told ===

impl Told {
    /// Whether a client was told the real expiry of the token that this view shows.
    pub(super) fn is_real(&self, view: &View) -> bool {
        let told = self.generation.load(Ordering::Relaxed);
        view.held
            .as_ref()
            .is_some_and(|held| held.generation == told)
    }
}
