//! The document that describes the local interface (OpenAPI 3.1), for people, for generators of clients, and for tests.

use std::sync::LazyLock;

use hyper::body::Bytes;

use crate::config::ProviderKind;

/// The handwritten document; tests compare it with the code.
const WRITTEN: &str = include_str!("openapi.json");

/// Placeholder in the document for the kinds of providers, which the configuration lists.
const KINDS: &str = "\"the kinds of providers\"";

/// The document: JSON. All answers share its bytes.
pub(super) fn document() -> Bytes {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
        let kinds = ProviderKind::ALL.iter();
        let kinds: Vec<_> = kinds.map(|kind| format!("\"{}\"", kind.name)).collect();
        WRITTEN.replace(KINDS, &kinds.join(", ")).into()
    });
    DOCUMENT.clone()
}

#[cfg(test)]
mod tests;
