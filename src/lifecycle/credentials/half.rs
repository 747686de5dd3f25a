//! Half a change: where the client ID and the secret are kept in two places, they are replaced one after the other.

use crate::credential::CredentialId;
use crate::instant::BootInstant;

/// What may be half a change.
#[derive(Debug, Default)]
pub(super) struct Half {
    /// Whether the client ID and the secret are kept in two places.
    pub(super) is_in_two_places: bool,
    /// What was found, and until when the rest of the change is waited for.
    pub(super) found: Option<(CredentialId, BootInstant)>,
}
