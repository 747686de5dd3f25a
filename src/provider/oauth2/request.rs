//! The token request (RFC 6749 section 4.4.2).

use url::Url;

use crate::config::oauth2::{ClientAuth, Oauth2};
use crate::credential::Credential;
use crate::provider::body;
use crate::provider::http::Request;

/// The request for a token. The secret is in the header or in the body, never in both and never in the address.
pub(super) fn build(endpoint: &Url, asked: &Oauth2, credential: &Credential) -> Request {
    let id = credential.client_id.as_str();
    let secret = credential.client_secret.expose();
    let scope = asked.scope.join(" ");
    let mut fields = vec![("grant_type", "client_credentials")];
    let authorization = match asked.client_auth {
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
        asked
            .audience
            .iter()
            .map(|text| ("audience", text.as_str())),
    );
    fields.extend(
        asked
            .resource
            .iter()
            .map(|text| ("resource", text.as_str())),
    );
    let extra = asked.extra.iter();
    fields.extend(extra.map(|(name, value)| (name.as_str(), value.as_str())));
    Request {
        url: endpoint.clone(),
        authorization,
        post: Some(("application/x-www-form-urlencoded", body::form(&fields))),
    }
}
