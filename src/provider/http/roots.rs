//! The roots that a client trusts: the system's, or only those of one file.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::sign::CertifiedKey;

use super::ca::CaSource;
use super::{system, tls};
use crate::credential::{Ca, CaVerdict};
use crate::fault::{Fault, FaultKind};

/// The trusted roots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Roots {
    /// Those of the operating system.
    #[default]
    System,
    /// Those of a CA file and no others.
    File(CaSource),
}

impl Roots {
    /// Returns the TLS configuration of a client that trusts these roots and shows `identity`. Fails if a secret that
    /// is bound to `ca` must not be sent to the servers that they vouch for; `None` is for requests without a secret.
    /// Blocks, because it reads the roots from disk.
    ///
    /// # Errors
    /// [`FaultKind::NoCa`] if there are no roots or the file cannot be used, and [`FaultKind::BindingChanged`] if the
    /// roots differ from those at enrolment; the reason names the file.
    pub(super) fn tls(
        &self,
        identity: Option<Arc<CertifiedKey>>,
        ca: Option<&Ca>,
    ) -> Result<ClientConfig, Fault> {
        tls::config(self.verifier(ca)?, identity)
    }

    fn verifier(&self, ca: Option<&Ca>) -> Result<Arc<dyn ServerCertVerifier>, Fault> {
        match self {
            Self::System if ca.is_some_and(|ca| ca.compare(None) != CaVerdict::Same) => {
                let what = "the credential was enrolled with a CA file, and the configuration names none: nothing is sent until it is enrolled again (jetond add NAME --rebind)";
                Err(Fault::new(FaultKind::BindingChanged, what))
            }
            Self::System => system::verifier(),
            Self::File(source) => Ok(Arc::new(source.verifier(ca)?)),
        }
    }
}
