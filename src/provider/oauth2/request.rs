//! The token request (RFC 6749 section 4.4.2).

use super::endpoint::Endpoint;
use crate::credential::Credential;
use crate::provider::body;
use crate::provider::http::Request;

/// How the client proves who it is (RFC 6749 section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// By the header `Authorization: Basic`, which every issuer must support.
    #[default]
    Basic,
    /// By `client_id` and `client_secret` in the body.
    Post,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// How the client proves who it is.
    pub client_auth: ClientAuth,
    /// The scopes (RFC 6749 section 3.3); none leaves it to the issuer.
    pub scope: Vec<String>,
    /// The audience, as several issuers call the resource.
    pub audience: Option<String>,
    /// The resources (RFC 8707).
    pub resource: Vec<String>,
    /// Further parameters by name; a name consists of letters, digits, `-`, `.` and `_` (RFC 6749 section 8.2).
    pub extra: Vec<(String, String)>,
}

/// The request for a token. The secret is in the header or in the body, never in both and never in the address.
pub(super) fn build(endpoint: &Endpoint, options: &Options, credential: &Credential) -> Request {
    let id = credential.client_id.as_str();
    let secret = credential.client_secret.expose();
    let scope = options.scope.join(" ");
    let mut fields = vec![("grant_type", "client_credentials")];
    let authorization = match options.client_auth {
        ClientAuth::Basic => Some(body::basic(id, secret)),
        ClientAuth::Post => {
            fields.extend([("client_id", id), ("client_secret", secret)]);
            None
        }
    };
    if !scope.is_empty() {
        fields.push(("scope", &scope));
    }
    fields.extend(
        options
            .audience
            .iter()
            .map(|text| ("audience", text.as_str())),
    );
    fields.extend(
        options
            .resource
            .iter()
            .map(|text| ("resource", text.as_str())),
    );
    let extra = options.extra.iter();
    fields.extend(extra.map(|(name, value)| (name.as_str(), value.as_str())));
    Request {
        url: endpoint.url().clone(),
        authorization,
        post: Some(("application/x-www-form-urlencoded", body::form(&fields))),
    }
}
