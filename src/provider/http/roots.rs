//! Whom a client trusts: the system's roots, or those of one file and no others.

use reqwest::{Client, ClientBuilder};

use super::ca::CaSource;
use super::system;
use crate::credential::{Ca, CaVerdict};
use crate::fault::{Fault, FaultKind};

/// The roots that are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Roots {
    /// Those of the operating system.
    #[default]
    System,
    /// Those of a CA file and no others.
    File(CaSource),
}

impl Roots {
    /// Finishes a client that trusts these roots, if a secret that is bound to `ca` may be sent to those whom they vouch
    /// for; `None` takes any roots, for requests without a secret. Blocks: they are read from disk.
    ///
    /// # Errors
    /// [`FaultKind::NoCa`] when there are none or the file cannot be used, and [`FaultKind::BindingChanged`] when they are
    /// others than those of the enrolment; the reason names the file.
    pub(super) fn build(
        &self,
        builder: ClientBuilder,
        encrypted: bool,
        shows_certificate: bool,
        ca: Option<&Ca>,
    ) -> Result<Client, Fault> {
        let (builder, unusable) = match self {
            // In the clear nobody is trusted: an empty set costs nothing, and works where the system has none.
            _ if !encrypted => (
                builder.tls_certs_only([]),
                no_ca("no TLS client can be built"),
            ),
            Self::System if ca.is_some_and(|ca| ca.compare(None) != CaVerdict::Same) => {
                let what = "the credential was enrolled with a CA file, and the configuration names none: nothing is sent until it is enrolled again (jetond add NAME --rebind)";
                return Err(Fault::new(FaultKind::BindingChanged, what));
            }
            Self::System => (
                system::trusted(builder, shows_certificate)?,
                no_ca("a root certificate of the system cannot be used"),
            ),
            Self::File(source) => (
                builder.tls_certs_only(source.certificates(ca)?),
                source.unusable(),
            ),
        };
        builder.build().map_err(|_| unusable)
    }
}

fn no_ca(detail: &str) -> Fault {
    Fault::new(FaultKind::NoCa, detail)
}
