//! The document that describes the local interface (OpenAPI 3.1), for people, for generators of clients, and for tests.

/// The document: JSON. It is written by hand, and held against the code by tests.
pub(super) const DOCUMENT: &str = include_str!("openapi.json");

#[cfg(test)]
mod tests;
