//! Requests of exchanges with an issuer.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Uri};
use url::Url;

use super::headers;
use crate::fault::{Fault, FaultKind};
use crate::provider::body::SecretBody;

/// One request. Its secrets are in buffers that are sent directly and then wiped; a copy would remain in freed
/// memory.
pub(in crate::provider) struct Request {
    /// The address, with path and query.
    pub(in crate::provider) url: Url,
    /// The value of `Authorization`.
    pub(in crate::provider) authorization: Option<SecretBody>,
    /// The content type and the body of a POST request.
    pub(in crate::provider) post: Option<(&'static str, SecretBody)>,
}

/// An HTTP request. Its clones share the buffers with secrets.
pub(super) type SharedRequest = hyper::Request<Full<Bytes>>;

/// Makes a GET request with the headers of every request.
///
/// # Errors
/// A [`Fault`] if the address cannot be used in a request.
pub(super) fn get(url: &Url) -> Result<SharedRequest, Fault> {
    let uri: Uri = url.as_str().parse().map_err(|_| {
        let what = "the address cannot be put into a request";
        Fault::new(FaultKind::Connect, what)
    })?;
    let mut request = SharedRequest::new(Full::default());
    *request.uri_mut() = uri;
    *request.headers_mut() = headers::usual();
    Ok(request)
}

// === impl Request ===

impl Request {
    /// Converts it to an HTTP request with the headers of every request.
    ///
    /// # Errors
    /// A [`Fault`] if the request cannot be sent.
    pub(super) fn sent(self) -> Result<SharedRequest, Fault> {
        let mut sent = get(&self.url)?;
        if let Some(authorization) = self.authorization {
            // Only a line end would be invalid in a value, and base64 has none.
            let value = HeaderValue::from_maybe_shared(Bytes::from_owner(authorization));
            let mut value = value.map_err(|_| {
                let what = "the credential cannot be put into a header";
                Fault::new(FaultKind::Rejected, what)
            })?;
            value.set_sensitive(true);
            sent.headers_mut().insert(header::AUTHORIZATION, value);
        }
        if let Some((content_type, body)) = self.post {
            *sent.method_mut() = Method::POST;
            let content_type = HeaderValue::from_static(content_type);
            sent.headers_mut()
                .insert(header::CONTENT_TYPE, content_type);
            *sent.body_mut() = Full::new(Bytes::from_owner(body));
        }
        Ok(sent)
    }
}
