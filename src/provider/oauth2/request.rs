//! The token request (RFC 6749 section 4.4.2).

use url::Url;

use crate::config::oauth2::{ClientAuth, Oauth2};
use crate::credential::Credential;
use crate::provider::body::{self, BasicEncoding, BodyValue};
use crate::provider::http::Request;

/// Builds the token request with this client authentication. The secret is either in the header or in the body, and
/// never in the address.
pub(super) fn build(
    endpoint: &Url,
    asked: &Oauth2,
    client_auth: ClientAuth,
    credential: &Credential,
) -> Request {
    let id = credential.client_id.as_str();
    let secret = BodyValue::Secret(&credential.client_secret);
    let scope = asked.scope.join(" ");
    let mut fields = vec![("grant_type", "client_credentials".into())];
    let authorization = match client_auth {
        ClientAuth::Basic => Some(body::basic(id, secret, BasicEncoding::Encoded)),
        ClientAuth::BasicRaw => Some(body::basic(id, secret, BasicEncoding::Raw)),
        ClientAuth::Post => {
            fields.extend([("client_id", id.into()), ("client_secret", secret)]);
            None
        }
    };
    if asked.client_id_in_body && authorization.is_some() {
        fields.push(("client_id", id.into()));
    }
    if !scope.is_empty() {
        fields.push(("scope", scope.as_str().into()));
    }
    let audience = asked.audience.iter().map(|text| ("audience", text));
    let resource = asked.resource.iter().map(|text| ("resource", text));
    let extra = asked.extra.iter();
    let extra = extra.map(|(name, value)| (name.as_str(), value));
    let further = audience.chain(resource).chain(extra);
    fields.extend(further.map(|(name, text)| (name, text.as_str().into())));
    Request {
        url: endpoint.clone(),
        authorization,
        post: Some(("application/x-www-form-urlencoded", body::form(&fields))),
    }
}
