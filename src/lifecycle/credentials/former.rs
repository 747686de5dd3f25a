//! The former credential, which stays in use while the issuer rejects the one that took its place in the store.
//!
//! A person may store a wrong secret, or one that the issuer does not know yet. The credential before it worked until
//! then, so it goes on to work, and callers keep their tokens. The stored one is tried again when its probe is due. Once
//! the issuer accepts it, or rejects the former one, the former one is forgotten.

use crate::credential::CredentialId;

/// What the issuer accepted last.
#[derive(Debug, Default)]
pub(super) struct Former {
    /// The credential that the issuer accepted last, unless it has rejected it since.
    pub(super) accepted: Option<CredentialId>,
    /// Whether the next call carries another credential than the stored one, even if the probe of that one is due: the
    /// attempt that sent the stored one ended with it.
    is_next: bool,
}

// === impl Former ===

impl Former {
    /// Records that the issuer accepted this credential.
    pub(super) fn accept(&mut self, credential: CredentialId) {
        *self = Self {
            accepted: Some(credential),
            is_next: false,
        };
    }

    /// Records that the issuer rejected this credential, while the store holds this one.
    pub(super) fn reject(&mut self, credential: CredentialId, stored: Option<CredentialId>) {
        self.accepted.take_if(|accepted| *accepted == credential);
        self.is_next = stored == Some(credential);
    }

    /// Whether another credential is to be sent before the stored one.
    pub(super) const fn is_next(&self) -> bool {
        self.is_next
    }
}
