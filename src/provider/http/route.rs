//! The route of a request, for messages about it.

/// The route of a request, for messages.
#[derive(Debug)]
pub(super) struct Route {
    /// `scheme://host:port`.
    pub(super) at: String,
    /// A phrase for the proxy, if one is configured.
    pub(super) proxy: Option<String>,
    /// Whether a CA file determines the trusted roots.
    pub(super) has_ca_file: bool,
    /// Whether a client certificate is configured.
    pub(super) shows_certificate: bool,
}
