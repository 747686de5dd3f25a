//! Builds the provider that a profile's configuration names.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::attempt::Provider;
use super::http::{Http, Resolver, Roots, Settings, Timeouts};
use super::speaker;
use crate::config::Profile;
use crate::fault::{Fault, FaultKind};

pub use super::http::Reached;

/// The provider of a profile. Nothing is opened or sent yet.
pub fn provider(profile: &Profile) -> Arc<dyn Provider> {
    speaker(&profile.provider, settings(profile))
}

/// Has a thread ready for look-ups of names, so that they can be made when the system refuses more threads later.
///
/// # Errors
/// The system's, when it refuses this one. It is asked again when there is a name to look up.
pub fn prepare() -> io::Result<()> {
    Resolver::shared().start()
}

/// `scheme://host[:port]` of where the profile's secret would be sent: what its credential is to be bound to. Asks the
/// issuer where the configuration does not say it; nothing secret is sent.
///
/// # Errors
/// A [`Fault`] when the issuer does not say it either.
pub async fn destination(profile: &Profile) -> Result<String, Fault> {
    match profile.origin() {
        Some(origin) => Ok(origin.to_string()),
        None => provider(profile).destination().await,
    }
}

/// Whether the profile's address can be reached, by the way that tokens are asked for, inside `limit`. No credential is
/// sent.
///
/// # Errors
/// A [`Fault`] when there is no answer, which says why.
pub async fn reach(profile: &Profile, limit: Duration) -> Result<Reached, Fault> {
    let mut settings = settings(profile);
    settings.timeouts = Timeouts {
        connect: limit.min(settings.timeouts.connect),
        exchange: limit,
        fetch: limit,
    };
    let http = Http::new(profile.provider.origin(), settings);
    // The limit once more, since what blocks is on threads that nothing ends.
    match tokio::time::timeout(limit, http.reach(profile.provider.reached_at())).await {
        Ok(reached) => reached,
        Err(_) => {
            let what = format!("no answer from {} within {limit:?}", http.origin());
            Err(Fault::new(FaultKind::Timeout, what))
        }
    }
}

fn settings(profile: &Profile) -> Settings {
    Settings {
        roots: profile
            .ca_file
            .clone()
            .map_or(Roots::System, |path| Roots::File { path, sha256: None }),
        proxy: profile.proxy_in_use().clone(),
        client_certificate: profile.client_certificate.clone(),
        resolver: Resolver::shared(),
        timeouts: Timeouts::default(),
    }
}
