//! A change of keys whose execution is delayed.

use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;

use super::endpoint::Endpoint;
use super::moment::Moment;
use super::tenant::Request;

/// The maximum number of pending changes, to save memory.
pub(super) const MAX_PENDING: usize = 1_024;

/// A request with an accepted token, and the moment at which it is executed.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) due: Moment,
    /// The ID of the key that got the request's token.
    pub(super) bearer: String,
    method: Method,
    path: String,
    query: String,
    is_json: bool,
    body: Bytes,
}

impl Pending {
    pub(super) fn new(request: &Request<'_>, bearer: String, now: Moment, after: Duration) -> Self {
        Self {
            due: now.later(after),
            bearer,
            method: request.method.clone(),
            path: request.path.to_owned(),
            query: request.query.to_owned(),
            is_json: request.is_json,
            body: request.body.clone(),
        }
    }

    /// Returns the original request.
    pub(super) fn request(&self) -> Option<Request<'_>> {
        Some(Request {
            method: self.method.clone(),
            path: &self.path,
            endpoint: Endpoint::at(&self.path)?,
            query: &self.query,
            is_json: self.is_json,
            body: self.body.clone(),
        })
    }
}
