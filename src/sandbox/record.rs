//! The sandbox's records of its requests: counts, and the form of each token request.

use std::time::Duration;

use serde::Serialize;

/// Counts since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// `POST` requests to a token path, even on lines without that path.
    pub token_requests: u64,
    /// Tokens issued.
    pub granted: u64,
    /// Token requests that the endpoint rejected, because of a wrong credential or an invalid request.
    pub rejected: u64,
    /// Requests that a fault of tokens or keys affected. A token with a late or lost answer also counts as granted,
    /// and a change of keys as executed.
    pub faulted: u64,
    /// Requests to other endpoints with a valid token.
    pub resource_ok: u64,
    /// Requests to other endpoints without a valid token.
    pub resource_unauthorized: u64,
    /// Keys created.
    pub keys_created: u64,
    /// Secrets of keys regenerated.
    pub keys_regenerated: u64,
    /// Keys deleted.
    pub keys_deleted: u64,
    /// Open connections, without those to the control address.
    pub open_connections: u64,
}

/// The form of a token request. It has no values, so that it can be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenRequestForm {
    /// The path.
    pub path: String,
    /// The content type as sent.
    pub content_type: Option<String>,
    /// The headers' names in lower case, in the order sent.
    pub header_names: Vec<String>,
    /// The names of the body's fields as spelled, if the body could be parsed. The order of JSON fields is lost.
    pub field_names: Vec<String>,
}

/// A key: a user's access key or application, or the organisation's service account or application.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Application {
    /// The ID by which the key is managed.
    pub id: String,
    /// The client ID with which the key gets tokens.
    pub client_id: String,
    /// The key's name.
    pub name: String,
    /// Whether the key can get tokens.
    pub enabled: bool,
    /// When the key last got a token, since 1970.
    pub last_login: Option<Duration>,
}
