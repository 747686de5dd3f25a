//! The OpenAPI 3.1 document of the local interface, for people, client generators and tests.

use std::sync::LazyLock;

use hyper::body::Bytes;

use crate::config::ProviderKind;

/// The handwritten document. Tests compare it with the code.
const WRITTEN: &str = include_str!("openapi.json");

/// Placeholder in the document for the list of provider kinds.
const KINDS: &str = "\"the kinds of providers\"";

/// Returns the document as JSON. All answers share its bytes.
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
