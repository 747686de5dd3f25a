//! The settings for the rotation of a profile's key.

use std::time::Duration;

use super::Provider;
use super::reader::{Reader, Section};
use super::source::CredentialLocation;
use crate::rotation::due::{USUAL_LIFETIME, least_every};

/// The default time for which an old key is kept if the issuer does not report when it was last used.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The settings for the rotation of a profile's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The age at which its key is rotated; `None` if only a command rotates it.
    pub every: Option<Duration>,
    /// How long an old key is kept if the issuer does not report when it was last used.
    pub grace: Duration,
    /// Whether another machine uses the same key. If so, an old key is kept.
    pub is_shared: bool,
}

// === impl Rotation ===

impl Default for Rotation {
    fn default() -> Self {
        Self {
            every: None,
            grace: DEFAULT_GRACE,
            is_shared: false,
        }
    }
}

// === impl Reader ===

impl Reader<'_> {
    /// Reports an age for rotation that cannot be kept. The lifetime of tokens counts where the configuration says it;
    /// otherwise it is at least five minutes, and the daemon learns it from the first token.
    pub(super) fn check_rotation(
        &mut self,
        section: &Section<'_>,
        rotation: &Rotation,
        lifetime: Option<Duration>,
        provider: &Provider,
        credential: &CredentialLocation,
    ) {
        let Some(every) = rotation.every else { return };
        let mut fields = section.fields().into_iter();
        let Some(field) = fields.find(|field| field.name == "rotate-every") else {
            return;
        };
        let message = if !matches!(provider, Provider::Runai(_)) {
            "only keys of Run:ai's users can be rotated"
        } else if credential.store().is_none() {
            "what comes from a source is only read, so its key cannot be rotated: rotate it where it comes from"
        } else if every < least_every(lifetime.unwrap_or(USUAL_LIFETIME)) {
            "this must be at least four token lifetimes and a day: that long an old key is kept and watched"
        } else {
            return;
        };
        self.fault(&field, message, None);
    }
}
