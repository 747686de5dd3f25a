//! What the sandbox remembers of its requests: counts, and how each token request looked.

use std::time::Duration;

use serde::Serialize;

/// Counts since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// `POST` requests to a token path, on lines without that path as well.
    pub token_requests: u64,
    /// Tokens issued.
    pub granted: u64,
    /// Token requests that the endpoint rejected: a wrong credential, or a request that is none.
    pub rejected: u64,
    /// Requests that a fault of tokens or of keys took part in. A late or a lost answer also counts as granted, and a
    /// change of keys as done: it happened.
    pub faulted: u64,
    /// Requests to other endpoints with a valid token.
    pub resource_ok: u64,
    /// Requests to other endpoints without one.
    pub resource_unauthorized: u64,
    /// Keys created.
    pub keys_created: u64,
    /// Secrets of keys regenerated.
    pub keys_regenerated: u64,
    /// Keys deleted.
    pub keys_deleted: u64,
    /// Connections that are open now, those of the control address not counted.
    pub open_connections: u64,
}

/// What a token request looked like. It holds no values, so that it can be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// The path.
    pub path: String,
    /// The content type as sent.
    pub content_type: Option<String>,
    /// The headers' names in lower case, in the order sent.
    pub header_names: Vec<String>,
    /// The names of the body's fields as spelled, where the body could be read; the order of JSON is not kept.
    pub field_names: Vec<String>,
}

/// A key: a user's access key or application, or the organisation's service account or application.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Application {
    /// Its ID, by which it is managed.
    pub id: String,
    /// Its client ID, with which it gets tokens.
    pub client_id: String,
    /// Its name.
    pub name: String,
    /// Whether it gets tokens.
    pub enabled: bool,
    /// When it last got a token, since 1970.
    pub last_login: Option<Duration>,
}
