//! The document that describes the local interface (OpenAPI 3.1), for people, for generators of clients, and for tests.

use crate::config::ProviderKind;

/// The document as it is written by hand, and held against the code by tests.
const WRITTEN: &str = include_str!("openapi.json");

/// What stands in it for the kinds of providers, which the configuration lists.
const KINDS: &str = "\"the kinds of providers\"";

/// The document: JSON.
pub(super) fn document() -> String {
    let kinds = ProviderKind::ALL.iter();
    let kinds: Vec<_> = kinds.map(|kind| format!("\"{}\"", kind.name)).collect();
    WRITTEN.replace(KINDS, &kinds.join(", "))
}

#[cfg(test)]
mod tests;
