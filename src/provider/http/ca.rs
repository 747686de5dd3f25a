//! The certificates of a CA file for a client: read once, judged, and used as they were read.

use std::path::PathBuf;
use std::sync::Arc;

use super::tls;
use super::verifier::FileVerifier;
use crate::certificates::CaFile;
use crate::credential::{Ca, CaVerdict};
use crate::fault::{Fault, FaultKind};

/// Where the certificates of a CA file come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaSource {
    /// Each client reads the file again.
    File {
        /// A bundle of certificates in PEM form.
        path: PathBuf,
        /// The only user besides root who may change it.
        owner: u32,
    },
    /// The file was read already.
    Read(Arc<CaFile>),
}

impl CaSource {
    /// The verifier that trusts the file's certificates, if a secret that is bound to `ca` may be sent to those whom they
    /// vouch for; `None` takes any, for requests without a secret. Blocks.
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
        // Also where only root can have changed the file: a client of other certificates than those that the credential is
        // bound to would outlive a change back. The source of the credential takes the change up, and is asked next.
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
