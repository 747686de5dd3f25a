//! The way of a request, as messages about it name it.

/// The route of a request, for messages.
#[derive(Debug)]
pub(super) struct Route {
    /// `scheme://host:port`.
    pub(super) at: String,
    /// The proxy in words, if one is configured.
    pub(super) proxy: Option<String>,
    /// Whether a CA file says whom to trust.
    pub(super) has_ca_file: bool,
    /// Whether we have a client certificate to show.
    pub(super) shows_certificate: bool,
}
