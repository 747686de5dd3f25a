//! The former credential, which stays in use while the issuer rejects its successor in the store.
//!
//! A user may store a wrong secret, or one that the issuer does not know yet. The previous credential still works, so
//! callers keep getting tokens. The stored one is tried again when its probe is due. The former one is dropped once the
//! issuer accepts the stored one or rejects the former one.

use crate::credential::CredentialId;

/// The credential that the issuer accepted last.
#[derive(Debug, Default)]
pub(super) struct FormerCredential {
    /// The credential that the issuer accepted last, unless it has rejected it since.
    pub(super) accepted: Option<CredentialId>,
    /// Whether the next call carries another credential than the stored one, even if the stored one's probe is due.
    /// True after the issuer has rejected the stored one, until another credential has been sent.
    is_next: bool,
}

// === impl Former ===

impl FormerCredential {
    /// Records that the issuer accepted this credential.
    pub(super) fn accept(&mut self, credential: CredentialId) {
        *self = Self {
            accepted: Some(credential),
            is_next: false,
        };
    }

    /// Records that the issuer rejected `credential`, while the store holds `stored`.
    pub(super) fn reject(&mut self, credential: CredentialId, stored: Option<CredentialId>) {
        self.accepted.take_if(|accepted| *accepted == credential);
        self.is_next = stored == Some(credential);
    }

    /// Whether another credential is sent before the stored one.
    pub(super) const fn is_next(&self) -> bool {
        self.is_next
    }
}
