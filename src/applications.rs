//! Manages the keys of Run:ai users and organisations through the vendor's API.
//!
//! "Application", "user application" and "access key" are the vendor's names of the same thing in different years.
//! [`Applications`] makes the calls. Everything else here is pure: the endpoints for each kind of key, the parsing of
//! answers, and texts for people. A secret from the server leaves an answer only as a [`ClientSecret`] or in a
//! [`RawAnswer`].
//!
//! Source: the vendor's OpenAPI documents, v1.218 to v1.224, and its documentation for 3.0.
//!
//! [`ClientSecret`]: crate::credential::ClientSecret
//! [`RawAnswer`]: crate::credential::RawAnswer

mod api;
mod clusters;
mod error;
#[cfg(test)]
pub(crate) mod fake;
mod identity;
mod issuer;
mod kind;
mod list;
mod listed;
mod listing;
mod made;
mod roles;
mod rules;
mod table;
mod time;
mod whoami;

pub use api::Applications;
pub use clusters::{Cluster, Clusters, Version};
pub use error::{ApiError, ApiErrorKind};
pub use identity::{BearerFacts, Identity};
pub use issuer::{ApiFuture, KeyIssuer, Reply};
pub use kind::Family;
pub use list::{Application, KeyMatch, find};
pub use listed::Listed;
pub use made::{CreatedKey, RegeneratedKey, secret_of};
pub use roles::Roles;
pub use table::{Row, json, json_of_one, lines_of_one, login, printable, table};

pub use crate::key_name::{KeyName, NAME_RULE};
pub use crate::query::KeyKind as Kind;

/// The maximum number of keys of a user (the vendor's guide to user access keys).
pub const MAX_USER_KEYS: usize = 20;
