//! Protocols over HTTP, without the companion.

pub mod oauth2;
