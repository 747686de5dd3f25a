//! The keys of Run:ai's users and organisations, managed by its API. "Application", "user application" and "access key"
//! are names of the same thing in different years.
//!
//! [`Applications`] makes the calls; everything else here is pure: which endpoint manages which kind, what an answer
//! says, and the words for people. A secret that the server made leaves an answer only as a [`ClientSecret`], or in a
//! [`RawAnswer`].
//!
//! Source: the vendor's OpenAPI documents, v1.218 to v1.224, and for 3.0 its documentation.
//!
//! [`ClientSecret`]: crate::credential::ClientSecret
//! [`RawAnswer`]: crate::credential::RawAnswer

mod api;
mod clusters;
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
mod trouble;
mod whoami;

pub use api::Applications;
pub use clusters::{Cluster, Clusters, Version};
pub use identity::{Bearer, Identity};
pub use issuer::{Calling, KeyIssuer, Reply};
pub use kind::Family;
pub use list::{Application, Found, find};
pub use listed::Listed;
pub use made::{Made, Renewed, secret_of};
pub use roles::Roles;
pub use table::{Row, json, json_of_one, lines_of_one, login, printable, table};
pub use trouble::{Trouble, TroubleKind};

pub use crate::key_name::{KeyName, NAME_RULE};
pub use crate::query::KeyKind as Kind;

/// How many keys a user has at most (the vendor's guide to user access keys).
pub const MAX_USER_KEYS: usize = 20;
