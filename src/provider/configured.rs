//! Builds the provider that a profile's configuration names.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::config::oauth2::{At, ClientAuth};
use crate::config::{self, Api, Profile, Proxy};
use crate::fault::{Fault, FaultKind};
use crate::provider::Provider;
use crate::provider::address::{Address, InvalidAddress};
pub use crate::provider::http::Reached;
use crate::provider::http::{self, Http, Identity, Resolver, Roots, Settings, Timeouts};
use crate::provider::oauth2::{self, Oauth2};
use crate::provider::runai::{self, Runai};

/// The provider of a profile. Nothing is opened or sent yet.
///
/// # Errors
/// [`InvalidAddress`] when no secret may be sent to the profile's address; the configuration has refused such
/// addresses before.
pub fn provider(profile: &Profile) -> Result<Arc<dyn Provider>, InvalidAddress> {
    let settings = settings(profile)?;
    match &profile.provider {
        config::Provider::Runai { url, api } => {
            let api = match api {
                Api::Auto => runai::Api::Auto,
                Api::V2 => runai::Api::V2,
                Api::V1 => runai::Api::V1,
            };
            Ok(Arc::new(Runai::new(&url.to_string(), api, settings)?))
        }
        config::Provider::Oauth2(issuer) => Ok(Arc::new(oauth2(issuer, settings)?)),
    }
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
    // The configuration has refused such addresses before.
    let unusable = |why: InvalidAddress| Fault::no_endpoint(why.to_string());
    match (profile.origin(), &profile.provider) {
        (None, config::Provider::Oauth2(issuer)) => {
            let settings = settings(profile).map_err(unusable)?;
            let provider = oauth2(issuer, settings).map_err(unusable)?;
            provider.destination().await
        }
        (origin, _) => Ok(origin.unwrap_or_default()),
    }
}

/// Whether the profile's address can be reached, by the way that tokens are asked for, inside `limit`. No credential is
/// sent.
///
/// # Errors
/// A [`Fault`] when there is no answer, which says why.
pub async fn reach(profile: &Profile, limit: Duration) -> Result<Reached, Fault> {
    // The configuration has refused such addresses before.
    let unusable = |why: InvalidAddress| Fault::no_endpoint(why.to_string());
    let mut settings = settings(profile).map_err(unusable)?;
    settings.timeouts = Timeouts {
        connect: limit.min(settings.timeouts.connect),
        exchange: limit,
        fetch: limit,
    };
    let origin = profile.origin().unwrap_or_else(|| profile.url());
    let address = Address::parse(&origin).map_err(unusable)?;
    let http = Http::new(address, settings);
    // The limit once more, since what blocks is on threads that nothing ends.
    match tokio::time::timeout(limit, http.reach()).await {
        Ok(reached) => reached,
        Err(_) => {
            let what = format!(
                "no answer from {} within {limit:?}",
                http.address().origin()
            );
            Err(Fault::new(FaultKind::Timeout, what))
        }
    }
}

fn oauth2(issuer: &config::Oauth2, settings: Settings) -> Result<Oauth2, InvalidAddress> {
    let at = match &issuer.at {
        At::Issuer(url) => oauth2::At::Issuer(url.as_str().to_owned()),
        At::Token(url) => oauth2::At::Token(url.as_str().to_owned()),
    };
    let extra = issuer.extra.iter();
    let options = oauth2::Options {
        client_auth: match issuer.client_auth {
            ClientAuth::Basic => oauth2::ClientAuth::Basic,
            ClientAuth::Post => oauth2::ClientAuth::Post,
        },
        scope: issuer.scope.clone(),
        audience: issuer.audience.clone(),
        resource: issuer.resource.clone(),
        extra: extra.map(|(k, v)| (k.clone(), v.clone())).collect(),
    };
    Oauth2::new(at, options, settings)
}

fn settings(profile: &Profile) -> Result<Settings, InvalidAddress> {
    Ok(Settings {
        roots: profile
            .ca_file
            .clone()
            .map_or(Roots::System, |path| Roots::File { path, sha256: None }),
        proxy: match profile.proxy_in_use() {
            Proxy::Direct => http::Proxy::None,
            Proxy::Environment => http::Proxy::Environment,
            // Falling back to a direct connection would be another route than the one that was asked for.
            Proxy::Http(url) => {
                http::Proxy::Url(url.as_str().parse().map_err(|_| InvalidAddress::NotAUrl)?)
            }
        },
        identity: profile.client_certificate.as_ref().map(|files| Identity {
            cert: files.cert.clone(),
            key: files.key.clone(),
        }),
        resolver: Resolver::shared(),
        timeouts: Timeouts::default(),
    })
}
