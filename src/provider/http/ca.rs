//! The certificates of a CA file for a client.
//!
//! They are read once, checked, and used exactly as they were read.

use std::path::PathBuf;
use std::sync::Arc;

use super::tls;
use super::verifier::FileVerifier;
use crate::certificates::CaFile;
use crate::credential::{Ca, CaVerdict};
use crate::fault::{Fault, FaultKind};

/// The source of the certificates of a CA file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaSource {
    /// Read the file again for each client.
    File {
        /// A bundle of certificates in PEM form.
        path: PathBuf,
        /// The only user besides root who may change the file.
        owner: u32,
    },
    /// Use this content, which was read already.
    Read(Arc<CaFile>),
}

impl CaSource {
    /// Returns the verifier that trusts the file's certificates. Fails if a secret that is bound to `ca` must not be
    /// sent to the servers that they vouch for; `None` is for requests without a secret. Blocks.
    ///
    /// # Errors
    /// [`FaultKind::NoCa`] if the file cannot be used, and [`FaultKind::BindingChanged`] if it holds other certificates.
    pub(super) fn verifier(&self, ca: Option<&Ca>) -> Result<FileVerifier, Fault> {
        let file = match self {
            Self::Read(file) => Arc::clone(file),
            Self::File { path, owner } => {
                let read = CaFile::read(path, *owner);
                Arc::new(read.map_err(|error| Fault::new(FaultKind::NoCa, error.to_string()))?)
            }
        };
        // This applies even if only root can change the file. Otherwise a client that trusts other certificates than
        // the credential is bound to would outlive a change back. The source of the credential notices such a change,
        // and is asked next.
        if ca.is_some_and(|ca| ca.compare(Some(&file.content)) != CaVerdict::Same) {
            let shown = file.path.display();
            let what = format!(
                "the CA file {shown} holds other certificates than at enrolment: nothing is sent until the credential is enrolled again (jetond add NAME --rebind)"
            );
            return Err(Fault::new(FaultKind::BindingChanged, what));
        }
        FileVerifier::new(&file.certificates, &tls::provider()).ok_or_else(|| {
            let path = file.path.display();
            let what = format!("the CA file {path} holds a certificate that cannot be used");
            Fault::new(FaultKind::NoCa, what)
        })
    }
}
