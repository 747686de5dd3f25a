//! A provider whose tokens get the lifetime from the profile's configuration, whatever the issuer states.

use std::sync::Arc;
use std::time::Duration;

use super::attempt::{Checking, Discovering, Fetching, Provider};
use crate::credential::Credential;

/// A provider, and the configured lifetime of its tokens.
pub(super) struct FixedLifetimeProvider {
    provider: Arc<dyn Provider>,
    lifetime: Duration,
}

impl FixedLifetimeProvider {
    /// Gives the tokens of `provider` this lifetime. A token that shows its own expiry lasts no longer than that.
    pub(super) fn new(provider: Arc<dyn Provider>, lifetime: Duration) -> Self {
        Self { provider, lifetime }
    }
}

impl Provider for FixedLifetimeProvider {
    fn fetch<'a>(&'a self, credential: &'a Credential) -> Fetching<'a> {
        Box::pin(async move {
            let mut granted = self.provider.fetch(credential).await?;
            granted.grant = granted.grant.with_lifetime(self.lifetime);
            Ok(granted)
        })
    }

    fn server(&self) -> Option<&'static str> {
        self.provider.server()
    }

    fn check_server(&self) -> Checking<'_> {
        self.provider.check_server()
    }

    fn destination(&self) -> Discovering<'_> {
        self.provider.destination()
    }
}
