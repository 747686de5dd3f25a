//! Requests of exchanges with an issuer.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Uri};
use url::Url;

use super::headers;
use crate::fault::{Fault, FaultKind};
use crate::provider::body::SecretBody;

/// One request. What is secret in it is in buffers that are sent themselves and then wiped; a copy would stay behind in
/// freed memory.
pub(in crate::provider) struct Request {
    /// Where, with path and query.
    pub(in crate::provider) url: Url,
    /// `Authorization`.
    pub(in crate::provider) authorization: Option<SecretBody>,
    /// The body with its type, of a request that posts one.
    pub(in crate::provider) post: Option<(&'static str, SecretBody)>,
}

/// An HTTP request. Its clones share the buffers with secrets.
pub(super) type Sent = hyper::Request<Full<Bytes>>;

/// A GET request with the headers of every request.
///
/// # Errors
/// A [`Fault`] if the address cannot be one of a request.
pub(super) fn get(url: &Url) -> Result<Sent, Fault> {
    let uri: Uri = url.as_str().parse().map_err(|_| {
        let what = "the address cannot be put into a request";
        Fault::new(FaultKind::Connect, what)
    })?;
    let mut request = Sent::new(Full::default());
    *request.uri_mut() = uri;
    *request.headers_mut() = headers::usual();
    Ok(request)
}

// === impl Request ===

impl Request {
    /// Converts it to an HTTP request with the headers of every request.
    ///
    /// # Errors
    /// A [`Fault`] if it cannot be sent as it is.
    pub(super) fn sent(self) -> Result<Sent, Fault> {
        let mut sent = get(&self.url)?;
        if let Some(authorization) = self.authorization {
            // Only a line end would not be a value, and there is none in base64.
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
