//! Protocols that are spoken by HTTP, without the companion.

pub mod oauth2;
