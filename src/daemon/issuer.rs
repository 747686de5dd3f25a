//! Builds the provider that a profile's configuration names.

use std::sync::Arc;

use crate::config::{self, Api, Profile, Proxy};
use crate::provider::http::{self, Roots, Settings, Timeouts};
use crate::provider::runai::{self, Runai};
use crate::provider::{Provider, address::InvalidAddress};

/// The provider of a profile. Nothing is opened or sent yet.
///
/// # Errors
/// [`InvalidAddress`] when no secret may be sent to the profile's address; the configuration has refused such
/// addresses before.
pub fn provider(profile: &Profile) -> Result<Arc<dyn Provider>, InvalidAddress> {
    let settings = Settings {
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
        identity: None,
        timeouts: Timeouts::default(),
    };
    match &profile.provider {
        config::Provider::Runai { url, api } => {
            let api = match api {
                Api::Auto => runai::Api::Auto,
                Api::V2 => runai::Api::V2,
                Api::V1 => runai::Api::V1,
            };
            Ok(Arc::new(Runai::new(&url.to_string(), api, settings)?))
        }
    }
}
