//! Keeps a client for the next request, as long as its files and the secret's binding match that request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::sign::CertifiedKey;
use tokio::sync::Semaphore;

use super::reuse::IdlePermit;
use super::{ClientSource, Settings, identity};
use crate::certificates::{ClientFileError, PAUSES};
use crate::config::Origin;
use crate::credential::Ca;
use crate::fault::{Fault, FaultKind};
use crate::offload::ConcurrencyLimit;

/// Builds a client with this client certificate, for a secret that is bound to these certificates. The last argument
/// is the maximum number of idle connections.
type BuildClient<C> =
    fn(&Origin, &Settings, Option<Arc<CertifiedKey>>, Option<&Ca>, usize) -> Result<C, Fault>;

/// The maximum number of kept clients. The profiles that share them are usually bound to the same certificates. The
/// exceptions were enrolled before a CA file changed, or by an earlier version.
const MOST: usize = 4;

/// The clients of profiles that reach one issuer in the same way, each built on first use.
pub(super) struct ClientCache<C> {
    build: BuildClient<C>,
    built: Mutex<Vec<BuiltClient<C>>>,
    connections: Arc<IdlePermit>,
    /// The concurrency limit for building clients.
    lane: ConcurrencyLimit,
    /// Held while the first client is built.
    first: Semaphore,
}

/// A client and its inputs. The proxy and the addresses come from the settings, which do not change.
#[derive(Clone)]
struct BuiltClient<C> {
    client: C,
    /// The certificates that a secret is bound to, with which the client's roots were compared; `None` if there was
    /// no comparison.
    ca: Option<Ca>,
    /// The SHA-256 of the client certificate and its key.
    identity: Option<[u8; 32]>,
}

/// The reason why no client was built.
enum BuildError {
    /// The client certificate or its key cannot be used.
    Identity(ClientFileError),
    /// Any other error.
    Fault(Fault),
}

// === impl Kept ===

impl<C: Clone + Send + 'static> ClientCache<C> {
    /// Starts without a client.
    pub(super) fn new(build: BuildClient<C>) -> Self {
        Self {
            build,
            built: Mutex::default(),
            connections: Arc::default(),
            lane: ConcurrencyLimit::default(),
            first: Semaphore::const_new(1),
        }
    }

    /// Returns a client for a request with a secret that is bound to `ca`; `None` is for a request without a secret.
    /// Building one reads files, so this happens off the event loop, where it would delay other requests. A failure
    /// is not kept: the next attempt tries again.
    ///
    /// # Errors
    /// A [`Fault`] if a file cannot be used, or holds other certificates than `ca`.
    pub(super) async fn client(
        &self,
        origin: &Origin,
        settings: &Arc<Settings>,
        ca: Option<&Ca>,
        is_shared: bool,
    ) -> Result<C, Fault> {
        let find = || self.slot().iter().find(|kept| kept.is_for(ca)).cloned();
        let mut kept = find();
        // Otherwise each profile that needs its first client at this moment would build one with its own connections.
        // The semaphore is never closed.
        let mut first = None;
        if kept.is_none() {
            first = self.first.acquire().await.ok();
            kept = find();
        }
        // A client certificate is short-lived and renewed in place, so its files are read for each request.
        let reads = settings.client_certificate.is_some() && origin.is_https();
        if let Some(kept) = kept.as_ref().filter(|_| !reads) {
            return Ok(kept.client.clone());
        }
        let mut pauses = PAUSES.into_iter();
        let built = loop {
            let (to, how, ca, kept) = (
                origin.clone(),
                Arc::clone(settings),
                ca.cloned(),
                kept.clone(),
            );
            let (build, connections) = (self.build, Arc::clone(&self.connections));
            let build = move |identity, ca: Option<&Ca>| {
                (build)(&to, &how, identity, ca, connections.max_idle(is_shared))
            };
            let files = settings.client_certificate.clone().filter(|_| reads);
            let built = self
                .lane
                .run_in_turn(move || BuiltClient::new(build, files.as_ref(), ca, kept))
                .await;
            let built = built.map_err(|refused| {
                let what = format!("cannot connect to {origin}: {refused}");
                Fault::new(FaultKind::Connect, what)
            })?;
            match (built, pauses.next()) {
                (Ok(built), _) => break built,
                (Err(BuildError::Fault(fault)), _) => return Err(fault),
                // A renewal in progress may have written one file only, or half of one.
                (Err(BuildError::Identity(error)), Some(pause)) if error.is_passing() => {
                    tokio::time::sleep(pause).await;
                }
                (Err(BuildError::Identity(error)), _) => return Err(identity::fault(&error)),
            }
        };
        let client = built.client.clone();
        let mut slot = self.slot();
        slot.retain(|kept| kept.ca != built.ca);
        slot.insert(0, built);
        slot.truncate(MOST);
        drop(first);
        Ok(client)
    }

    /// Makes the next request build a client.
    pub(super) fn forget(&self) {
        self.slot().clear();
    }

    /// Returns the SHA-256 of the client certificate of the kept client.
    #[cfg(test)]
    pub(super) fn identity(&self) -> Option<[u8; 32]> {
        self.slot().first()?.identity
    }

    fn slot(&self) -> MutexGuard<'_, Vec<BuiltClient<C>>> {
        self.built.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Built ===

impl<C> BuiltClient<C> {
    /// Builds a client, unless `kept` has the present client certificate.
    fn new(
        build: impl FnOnce(Option<Arc<CertifiedKey>>, Option<&Ca>) -> Result<C, Fault>,
        files: Option<&ClientSource>,
        ca: Option<Ca>,
        kept: Option<Self>,
    ) -> Result<Self, BuildError> {
        let read = files.map(identity::read).transpose();
        let read = read.map_err(BuildError::Identity)?;
        let sha256 = read.as_ref().map(|read| read.sha256);
        if let Some(kept) = kept.filter(|kept| kept.identity == sha256) {
            return Ok(kept);
        }
        let parsed = read.as_ref().map(identity::parse).transpose();
        let parsed = parsed.map_err(BuildError::Identity)?;
        Ok(Self {
            client: build(parsed, ca.as_ref()).map_err(BuildError::Fault)?,
            ca,
            identity: sha256,
        })
    }

    /// Returns whether a secret that is bound to `ca` may be sent with this client.
    fn is_for(&self, ca: Option<&Ca>) -> bool {
        ca.is_none() || self.ca.as_ref() == ca
    }
}
