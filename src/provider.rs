//! The client of an issuer's token endpoint: one request with a credential returns one token or one fault.
//!
//! A provider does not decide *when* to request a token. It makes one attempt, with a deadline of its own, and keeps no
//! token. Pure functions judge the answer (`answer` and what it uses). `http::classify` classifies connection faults,
//! and only `http` touches the network.
//!
//! This file lists the providers: a new provider is a file here and an arm of `speaker`. It gets its part of the
//! configuration unchanged.

use std::sync::Arc;

use crate::config;

pub mod answer;
mod attempt;
mod auth_methods;
mod body;
mod claims;
pub mod configured;
mod exchange;
mod expiry;
mod fixed_lifetime;
pub mod http;
mod lifetime;
mod members;
pub mod oauth2;
mod quote;
mod request_address;
pub mod rfc3339;
pub mod runai;
mod scope;
pub mod threads;

#[cfg(test)]
mod fake;

pub use attempt::{
    Checking, DiscoveredEndpoint, Discovering, FailedProof, Fetching, Granted, Proof, Provider,
    Proving,
};
pub use auth_methods::AuthMethods;
pub use claims::{Claims, claims};
pub use quote::{quote_of_api, without_token};

/// Builds the provider that a configuration describes. Opens and sends nothing yet.
fn speaker(
    described: &config::Provider,
    settings: http::Settings,
    last: Arc<oauth2::LastRule>,
) -> Arc<dyn Provider> {
    match described {
        config::Provider::Runai(control_plane) => {
            Arc::new(runai::Runai::new(control_plane.clone(), settings))
        }
        config::Provider::Oauth2(issuer) => {
            Arc::new(oauth2::Oauth2::new((**issuer).clone(), settings, last))
        }
    }
}
