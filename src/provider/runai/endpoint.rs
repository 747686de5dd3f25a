//! The variants of Run:ai's token request: path, body, and the meaning of a refusal.

use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::provider::answer::{IssuerResponse, Spelling};
use crate::provider::body::{self, BodyValue, SecretBody};

/// A variant of the token request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    V2,
    /// With `clientID`, as in the specification.
    V1,
    /// With `clientId`, as in the guides. Which of the two a server reads, or whether it reads both, is not documented.
    V1ClientId,
    /// With the grant `app_token`, the only one for keys up to 2.19. Version 3.0 no longer has it.
    V1AppToken,
}

/// The variants to try, the newest first.
pub(super) const BY_AGE: [Endpoint; 3] = [Endpoint::V2, Endpoint::V1, Endpoint::V1AppToken];

impl Endpoint {
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::V2 => "/api/v2/token",
            Self::V1 | Self::V1ClientId | Self::V1AppToken => "/api/v1/token",
        }
    }

    /// Describes the versions of the control plane that give a token here, if the newest endpoint was tried first.
    pub(super) const fn server(self) -> &'static str {
        match self {
            Self::V2 => "Run:ai 2.24 or later: it gives tokens at /api/v2/token",
            Self::V1 | Self::V1ClientId => "Run:ai 2.20 to 2.23: it gives tokens at /api/v1/token",
            Self::V1AppToken => {
                "Run:ai 2.18 or 2.19: it gives tokens at /api/v1/token, by app_token"
            }
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::V2 => "application/x-www-form-urlencoded",
            Self::V1 | Self::V1ClientId | Self::V1AppToken => "application/json",
        }
    }

    pub(super) const fn spelling(self) -> Spelling {
        match self {
            Self::V2 => Spelling::Snake,
            Self::V1 | Self::V1ClientId | Self::V1AppToken => Spelling::Camel,
        }
    }

    pub(super) const fn other_spelling(self) -> Option<Self> {
        match self {
            Self::V2 | Self::V1AppToken => None,
            Self::V1 => Some(Self::V1ClientId),
            Self::V1ClientId => Some(Self::V1),
        }
    }

    /// Writes the body. No endpoint reads the credential from a header: "Authorization required" in the documents is an
    /// artefact.
    pub(super) fn body(self, credential: &Credential) -> SecretBody {
        let id = BodyValue::Open(&credential.client_id);
        let secret = BodyValue::Secret(&credential.client_secret);
        match self {
            Self::V2 => body::form(&[
                ("grant_type", "client_credentials".into()),
                ("client_id", id),
                ("client_secret", secret),
            ]),
            Self::V1 => body::json(&[
                ("grantType", "client_credentials".into()),
                ("clientID", id),
                ("clientSecret", secret),
            ]),
            Self::V1ClientId => body::json(&[
                ("grantType", "client_credentials".into()),
                ("clientId", id),
                ("clientSecret", secret),
            ]),
            Self::V1AppToken => body::json(&[
                ("grantType", "app_token".into()),
                ("appID", id),
                ("appSecret", secret),
            ]),
        }
    }

    /// Reports whether the JSON endpoint answered 400 without saying that the credential is wrong: it may expect
    /// another spelling or an older grant. An answer that is not JSON does not come from the endpoint, so the secret is
    /// not sent again.
    pub(super) fn is_not_understood(self, answer: &IssuerResponse) -> bool {
        self != Self::V2
            && answer.is_bad_request()
            && answer.members().is_some()
            && !answer.is_understood()
    }

    /// Reports whether the JSON endpoint answered 400 because of the grant. How a server says so is not documented:
    /// with OAuth 2.0's code (RFC 6749 section 5.2), or with a message that names the member or its meaning.
    pub(super) fn has_no_such_grant(self, answer: &IssuerResponse) -> bool {
        if self == Self::V2 || !answer.is_bad_request() {
            return false;
        }
        let Some(members) = answer.members() else {
            return false;
        };
        if let Some(code) = members.text("error") {
            return code.as_str() == "unsupported_grant_type";
        }
        ["message", "details"].into_iter().any(|name| {
            members.text(name).is_some_and(|text| {
                let text = Zeroizing::new(text.to_ascii_lowercase());
                ["granttype", "grant type", "grant_type"]
                    .iter()
                    .any(|grant| text.contains(grant))
            })
        })
    }
}
