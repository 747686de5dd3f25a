//! The client of an issuer's token endpoint: one request with a credential, one token or one reason why not.
//!
//! A provider decides nothing about *when*: it makes one attempt, inside a deadline of its own, and keeps no token.
//! What can be wrong with an answer is judged by pure functions (`answer` and what it uses); what can go wrong on the
//! way is classified in `http::classify`; `http` is the only file that touches the network.
//!
//! This page lists the providers: a new one is a file here and an arm of `speaker`. It takes its part of the
//! configuration as it is.

use std::sync::Arc;

use crate::config;

pub mod answer;
mod attempt;
mod body;
pub mod configured;
pub mod http;
mod lifetime;
mod members;
pub mod oauth2;
mod quote;
pub mod runai;

#[cfg(test)]
mod fake;

pub use attempt::{Fetching, Granted, Locating, Provider};

/// What speaks to the provider that a configuration describes. Nothing is opened or sent yet.
fn speaker(described: &config::Provider, settings: http::Settings) -> Arc<dyn Provider> {
    match described {
        config::Provider::Runai(control_plane) => {
            Arc::new(runai::Runai::new(control_plane.clone(), settings))
        }
        config::Provider::Oauth2(issuer) => {
            Arc::new(oauth2::Oauth2::new((**issuer).clone(), settings))
        }
    }
}
