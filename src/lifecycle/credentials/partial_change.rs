//! Half a change of a credential: if the client ID and the secret are kept in two places, they are replaced one after
//! the other.

use crate::credential::CredentialId;
use crate::instant::BootInstant;

/// A possible half of a change.
#[derive(Debug, Default)]
pub(super) struct PartialChange {
    /// Whether the client ID and the secret are kept in two places.
    pub(super) is_in_two_places: bool,
    /// The credential that was found, and until when to wait for the rest of the change.
    pub(super) found: Option<(CredentialId, BootInstant)>,
}
