//! A provider whose tokens hold for as long as the profile says, whatever its issuer states.

use std::sync::Arc;
use std::time::Duration;

use super::attempt::{Fetching, Locating, Looking, Provider};
use crate::credential::Credential;

/// A provider, and the lifetime of its tokens.
pub(super) struct Lasting {
    provider: Arc<dyn Provider>,
    lifetime: Duration,
}

impl Lasting {
    /// The tokens of `provider` with this lifetime. One that shows its own end holds no longer than that.
    pub(super) fn new(provider: Arc<dyn Provider>, lifetime: Duration) -> Self {
        Self { provider, lifetime }
    }
}

impl Provider for Lasting {
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

    fn look(&self) -> Looking<'_> {
        self.provider.look()
    }

    fn destination(&self) -> Locating<'_> {
        self.provider.destination()
    }
}
