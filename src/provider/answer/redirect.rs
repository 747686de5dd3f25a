//! The target of a redirect, for messages.

use url::Url;

use crate::credential::Credential;
use crate::provider::quote::quote;

/// Formats ` to scheme://host:port` of the address in `Location`, if it differs from the issuer's own address `at`.
pub(super) fn target(location: Option<&str>, at: &str, credential: &Credential) -> String {
    let Some(url) = location.and_then(|text| Url::parse(text).ok()) else {
        return String::new();
    };
    let port = url
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    let target = format!(
        "{}://{}{port}",
        url.scheme(),
        url.host_str().unwrap_or_default()
    );
    format!(" to {}", quote(&target, at, credential, &[]))
}
