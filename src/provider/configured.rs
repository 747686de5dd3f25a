//! Builds the provider that a profile's configuration describes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::attempt::{DiscoveredEndpoint, Provider};
use super::fixed_lifetime::FixedLifetimeProvider;
use super::http::{CaSource, ClientSource, Resolver, Roots, Settings, Timeouts};
use super::oauth2::LastRule;
use super::speaker;
use crate::certificates::CaFile;
use crate::config::Profile;
use crate::fault::{Fault, FaultKind};

pub use super::http::{Call, Http, Method, ProbeAnswer};

/// The owner of the files that a profile names, and facts about the profile that are known already.
#[derive(Debug, Clone)]
pub struct ProviderFiles {
    /// The only user besides root who may change the files: the daemon's.
    pub owner: u32,
    /// The CA file, if it was read already; otherwise each client reads it while it is built.
    pub ca_file: Option<Arc<CaFile>>,
    /// Where the issuer's document was found, for the next client that searches for it.
    pub last_document: Arc<LastRule>,
}

impl ProviderFiles {
    /// Describes the files of this user's daemon, which are read when they are needed.
    pub fn of(owner: u32) -> Self {
        Self::with_ca(owner, None)
    }

    /// Does the same, with a CA file that was read already.
    pub fn with_ca(owner: u32, ca_file: Option<Arc<CaFile>>) -> Self {
        Self {
            owner,
            ca_file,
            last_document: Arc::default(),
        }
    }
}

/// Builds the provider of a profile. Opens and sends nothing yet.
pub fn provider(profile: &Profile, files: &ProviderFiles) -> Arc<dyn Provider> {
    let provider = speaker(
        &profile.provider,
        settings(profile, files),
        Arc::clone(&files.last_document),
    );
    match profile.lifetime {
        Some(lifetime) => Arc::new(FixedLifetimeProvider::new(provider, lifetime)),
        None => provider,
    }
}

/// Builds a client for the API of a profile's issuer, over the same route as its token requests. Opens and sends
/// nothing yet.
pub fn api(profile: &Profile, files: &ProviderFiles) -> Http {
    Http::new(profile.provider.origin(), settings(profile, files))
}

/// Starts the thread for name look-ups, so that they still work if the system refuses more threads later.
///
/// # Errors
/// The system's error, if it refuses this thread. The next look-up tries again.
pub fn prepare() -> io::Result<()> {
    Resolver::shared().start()
}

/// Returns the whole address of the profile's token endpoint, to which its credential is to be bound; for Run:ai the
/// base address. If the configuration does not name it, asks the issuer, and also returns the other facts of the
/// issuer's document. Sends no secret.
///
/// # Errors
/// A [`Fault`] if the issuer does not name it either.
pub async fn destination(
    profile: &Profile,
    files: &ProviderFiles,
) -> Result<DiscoveredEndpoint, Fault> {
    match profile.endpoint() {
        Some(endpoint) => Ok(DiscoveredEndpoint {
            endpoint,
            auth_methods: None,
        }),
        None => provider(profile, files).destination().await,
    }
}

/// Checks whether a server of the profile's kind answers at its address, over the same route as token requests. Sends
/// no secret.
///
/// # Errors
/// A [`Fault`] with the reason.
pub async fn check_server(profile: &Profile, files: &ProviderFiles) -> Result<(), Fault> {
    provider(profile, files).check_server().await
}

/// Checks whether the profile's address can be reached, over the same route as token requests, within `limit`. Sends no
/// credential.
///
/// # Errors
/// A [`Fault`] with the reason why there is no answer.
pub async fn reach(
    profile: &Profile,
    files: &ProviderFiles,
    limit: Duration,
) -> Result<ProbeAnswer, Fault> {
    let mut settings = settings(profile, files);
    settings.timeouts = Timeouts {
        connect: limit.min(settings.timeouts.connect),
        exchange: limit,
        fetch: limit,
    };
    let http = Http::new(profile.provider.origin(), settings);
    // The limit is applied once more, since blocking work runs on threads that cannot be aborted.
    match tokio::time::timeout(limit, http.reach(profile.provider.reached_at())).await {
        Ok(reached) => reached,
        Err(_) => {
            let what = format!("no answer from {} within {limit:?}", http.origin());
            Err(Fault::new(FaultKind::Timeout, what))
        }
    }
}

fn settings(profile: &Profile, files: &ProviderFiles) -> Settings {
    let owner = files.owner;
    let roots = match (&profile.ca_file, &files.ca_file) {
        (None, _) => Roots::System,
        (Some(_), Some(read)) => Roots::File(CaSource::Read(Arc::clone(read))),
        (Some(path), None) => Roots::File(CaSource::File {
            path: path.clone(),
            owner,
        }),
    };
    let client_certificate = profile.client_certificate.clone();
    Settings {
        roots,
        proxy: profile.proxy_in_use().clone(),
        client_certificate: client_certificate.map(|files| ClientSource { files, owner }),
        resolver: Resolver::shared(),
        timeouts: Timeouts::default(),
    }
}
