//! A call of an issuer's API with a bearer token, to manage keys.

use hyper::body::Bytes;
use reqwest::header::{self, HeaderValue};
use reqwest::{Client, RequestBuilder};
use url::Url;
use zeroize::Zeroizing;

use crate::fault::{Fault, FaultKind};
use crate::token::AccessToken;

/// The method of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates something.
    Post,
    /// Deletes something.
    Delete,
}

/// A call with a bearer token, which is sent only to the origin of its client.
pub struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    token: &'a AccessToken,
    json: Option<String>,
    /// The maximum size of the answer, in bytes.
    pub(super) max_answer: usize,
}

impl<'a> Call<'a> {
    /// Makes a call without a body. `max_answer` is the maximum size of the answer, in bytes.
    pub fn new(method: Method, url: Url, token: &'a AccessToken, max_answer: usize) -> Self {
        Self {
            method,
            url,
            token,
            json: None,
            max_answer,
        }
    }

    /// Adds a JSON body, which must not contain a secret.
    #[must_use]
    pub fn with_json(mut self, json: String) -> Self {
        self.json = Some(json);
        self
    }

    /// Makes the request, with the token in a buffer that is wiped when it is freed.
    pub(super) fn request(self, client: &Client) -> Result<RequestBuilder, Fault> {
        let mut request = match self.method {
            Method::Get => client.get(self.url),
            Method::Post => client.post(self.url),
            Method::Delete => client.delete(self.url),
        };
        if let Some(json) = self.json {
            request = request
                .header(
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("application/json"),
                )
                .body(json);
        }
        let bearer = Zeroizing::new([b"Bearer ", self.token.expose().as_bytes()].concat());
        let value = HeaderValue::from_maybe_shared(Bytes::from_owner(bearer));
        let mut value = value.map_err(|_| {
            Fault::new(
                FaultKind::Malformed,
                "the token cannot be put into a header",
            )
        })?;
        value.set_sensitive(true);
        Ok(request.header(header::AUTHORIZATION, value))
    }
}
