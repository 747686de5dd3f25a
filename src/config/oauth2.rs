//! An OAuth 2.0 issuer in the configuration, and the parameters to request from it.

use std::collections::BTreeMap;

use ::url::Url;
use toml_edit::{Array, InlineTable, Value};

use super::kind::{AddressCandidate, Kind, ProviderConfig};
use super::reader::key::{Key, OptionForm, key, set};
use super::reader::{Reader, Section};
use super::url::{InvalidUrl, Origin};

mod endpoint_url;
mod parameters;
mod pasted;

pub use endpoint_url::EndpointUrl;

/// An OAuth 2.0 issuer with the client-credentials grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oauth2 {
    /// How its token endpoint is found.
    pub at: TokenEndpointSource,
    /// How the client authenticates.
    pub client_auth: ClientAuth,
    /// Whether the body carries the client ID even though the header does.
    pub client_id_in_body: bool,
    /// The scopes to ask for (RFC 6749 section 3.3).
    pub scope: Vec<String>,
    /// The audience to ask for.
    pub audience: Option<String>,
    /// The resources to ask for (RFC 8707).
    pub resource: Vec<String>,
    /// Further parameters of the request.
    pub extra: BTreeMap<String, String>,
    /// The type of its bearer tokens, if the issuer uses another name than `Bearer`.
    pub token_type: Option<String>,
}

/// The way in which the token endpoint is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenEndpointSource {
    /// The issuer with this address names it in its discovery document.
    Issuer(EndpointUrl),
    /// It is this address.
    Token(EndpointUrl),
}

/// The method by which the client authenticates (RFC 6749 section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// In the header `Authorization`, form-encoded: for issuers that decode it, and for most that do not.
    #[default]
    Basic,
    /// In the header `Authorization` without encoding, for issuers that do not decode it.
    BasicRaw,
    /// In the request's body.
    Post,
}

/// The purpose of a profile's tokens, as its configuration requests it from the issuer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenPurpose {
    /// The scopes.
    pub scope: Vec<String>,
    /// The audience.
    pub audience: Option<String>,
    /// The resources.
    pub resource: Vec<String>,
}

/// An issuer while its keys are read.
#[derive(Default)]
pub(super) struct Oauth2Draft {
    issuer: Option<EndpointUrl>,
    token_url: Option<EndpointUrl>,
    client_auth: ClientAuth,
    client_id_in_body: bool,
    scope: Vec<String>,
    audience: Option<String>,
    resource: Vec<String>,
    extra: BTreeMap<String, String>,
    token_type: Option<String>,
}

/// The message for a value that only later versions accept.
const LATER: &str = "is not supported in this version";

// === impl At ===

impl TokenEndpointSource {
    /// Returns the configured address.
    pub const fn url(&self) -> &EndpointUrl {
        match self {
            Self::Issuer(url) | Self::Token(url) => url,
        }
    }
}

// === impl ClientAuth ===

impl ClientAuth {
    /// The methods, in the configuration's spelling.
    const WORDS: &'static [&'static str] = &["basic", "basic-raw", "post"];

    /// Returns the method in the configuration's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::BasicRaw => "basic-raw",
            Self::Post => "post",
        }
    }

    /// Returns the registered name of the method (RFC 7591 section 2).
    pub const fn method(self) -> &'static str {
        match self {
            Self::Basic | Self::BasicRaw => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }
}

// === impl Oauth2 ===

impl Oauth2 {
    /// Returns the purpose of its tokens.
    pub fn purpose(&self) -> TokenPurpose {
        TokenPurpose {
            scope: self.scope.clone(),
            audience: self.audience.clone(),
            resource: self.resource.clone(),
        }
    }
}

impl Kind for Oauth2 {
    const NAME: &'static str = "oauth2";
    const INSTEAD_OF_URL: &'static str = "issuer or token-url";
    const HEADING: &'static str = "Options of --provider oauth2";
    const USAGE: &'static str = "--issuer <URL>";
    const NEEDS: &'static str = "--issuer URL or --token-url URL";
    const EXAMPLE: &'static str =
        "reports --provider oauth2 --issuer https://login.acme.com --scope read";
    const TITLE: &'static str = "another OAuth 2.0 issuer";
    const ADDRESS: &'static str = "the issuer's, such as https://login.acme.com, its discovery document's, or the token endpoint's";

    #[rustfmt::skip]
    const KEYS: &'static [Key<Oauth2Draft>] = &[
        key("issuer", "an https address", "token-url is there", "the issuer, exactly as it calls itself: its discovery document says where the token endpoint is", |r, f, d: &mut Oauth2Draft| {
            d.issuer = r.parsed(f, EndpointUrl::issuer);
        }).option(OptionForm::Once, "URL", "The issuer, exactly as it calls itself: its discovery document says where the token endpoint is"),
        key("token-url", "an https address", "issuer is there", "the token endpoint", |r, f, d: &mut Oauth2Draft| {
            d.token_url = r.parsed(f, EndpointUrl::token);
        }).option(OptionForm::Once, "URL", "The token endpoint, in place of --issuer").excludes("issuer"),
        key("client-auth", "\"basic\", \"basic-raw\" or \"post\"", "\"basic\"", "how the client ID and the secret are sent: in a header, in a header for an issuer that compares them without decoding, or in the body", |r, f, d: &mut Oauth2Draft| {
            let words = [ClientAuth::Basic, ClientAuth::BasicRaw, ClientAuth::Post].map(|auth| (auth.as_str(), auth));
            set(&mut d.client_auth, r.one_of(f, &words, &[("private-key-jwt", LATER), ("mtls", LATER)]));
        }).option(OptionForm::Words(ClientAuth::WORDS), "CLIENT_AUTH", "How the client ID and the secret are sent: in a header, in a header that the issuer does not decode, or in the body; without it, as the issuer's document says"),
        key("client-id-in-body", "true or false", "false", "send the client ID in the body too, for an issuer that wants it beside the header", |r, f, d: &mut Oauth2Draft| {
            set(&mut d.client_id_in_body, r.flag(f));
        }).option(OptionForm::Flag, "", "Send the client ID in the body too, for an issuer that wants it beside the header"),
        key("scope", "an array of strings", "what the issuer gives", "the scopes to ask for", |r, f, d: &mut Oauth2Draft| {
            d.scope = r.list(f, parameters::scope);
        }).option(OptionForm::Repeated, "SCOPE", "A scope to ask for; may be repeated"),
        key("audience", "a string", "none", "the audience to ask for", |r, f, d: &mut Oauth2Draft| {
            d.audience = r.checked(f, parameters::value);
        }).option(OptionForm::Once, "AUDIENCE", "The audience to ask for"),
        key("resource", "an absolute URI, or an array of them", "none", "the resources to ask for (RFC 8707)", |r, f, d: &mut Oauth2Draft| {
            d.resource = r.one_or_list(f, parameters::resource);
        }).option(OptionForm::Repeated, "URI", "A resource to ask for; may be repeated"),
        key("extra", "a table of strings", "none", "further parameters of the request for a token", |r, f, d: &mut Oauth2Draft| {
            for field in r.entries(f) {
                let name = r.name(&field, parameters::parameter);
                if let (Some(name), Some(value)) = (name, r.checked(&field, parameters::value)) {
                    d.extra.insert(name, value);
                }
            }
        }).option(OptionForm::Pairs, "NAME=VALUE", "A further parameter of the request, which the configuration keeps: nothing secret; may be repeated"),
        key("token-type", "a string", "\"Bearer\"", "the issuer's name for the type of its bearer tokens (token_type)", |r, f, d: &mut Oauth2Draft| {
            d.token_type = r.checked(f, parameters::token_type);
        }).option(OptionForm::Once, "TYPE", "The issuer's name for the type of its bearer tokens, where it is not Bearer"),
    ];
    type Draft = Oauth2Draft;

    fn pasted(text: &str) -> Result<Vec<AddressCandidate>, InvalidUrl> {
        pasted::addresses(text)
    }

    fn finish(draft: Oauth2Draft, reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Self> {
        // Exactly one key determines the token endpoint.
        let at = match (section.has("issuer"), section.has("token-url")) {
            (true, true) => {
                let message = "issuer and token-url exclude each other: the token endpoint is discovered, or it is set";
                reader.fault(section.field, message, None);
                None
            }
            (false, false) => {
                let message = "issuer or token-url is missing: the token endpoint is discovered, or it is set";
                reader.fault(section.field, message, None);
                None
            }
            _ => draft
                .issuer
                .map(TokenEndpointSource::Issuer)
                .or(draft.token_url.map(TokenEndpointSource::Token)),
        };
        Some(Self {
            at: at?,
            client_auth: draft.client_auth,
            client_id_in_body: draft.client_id_in_body,
            scope: draft.scope,
            audience: draft.audience,
            resource: draft.resource,
            extra: draft.extra,
            token_type: draft.token_type,
        })
    }
}

impl ProviderConfig for Oauth2 {
    fn url(&self) -> String {
        self.at.url().to_string()
    }

    fn origin(&self) -> Origin {
        self.at.url().origin()
    }

    fn endpoint(&self) -> Option<Url> {
        match &self.at {
            TokenEndpointSource::Issuer(_) => None,
            TokenEndpointSource::Token(url) => Some(url.url().clone()),
        }
    }

    fn issuer(&self) -> Option<&str> {
        match &self.at {
            TokenEndpointSource::Issuer(url) => Some(url.as_str()),
            TokenEndpointSource::Token(_) => None,
        }
    }

    fn reached_at(&self) -> Url {
        match &self.at {
            TokenEndpointSource::Issuer(url) => url.origin().join(url.path()),
            TokenEndpointSource::Token(url) => url.origin().join(""),
        }
    }

    fn entries(&self) -> Vec<(&'static str, Value)> {
        let mut entries: Vec<(_, Value)> = vec![match &self.at {
            TokenEndpointSource::Issuer(url) => ("issuer", url.as_str().into()),
            TokenEndpointSource::Token(url) => ("token-url", url.as_str().into()),
        }];
        if self.client_auth != ClientAuth::default() {
            entries.push(("client-auth", self.client_auth.as_str().into()));
        }
        if self.client_id_in_body {
            entries.push(("client-id-in-body", true.into()));
        }
        if !self.scope.is_empty() {
            entries.push(("scope", Array::from_iter(&self.scope).into()));
        }
        if let Some(audience) = &self.audience {
            entries.push(("audience", audience.into()));
        }
        if !self.resource.is_empty() {
            entries.push(("resource", Array::from_iter(&self.resource).into()));
        }
        if !self.extra.is_empty() {
            entries.push(("extra", InlineTable::from_iter(&self.extra).into()));
        }
        if let Some(token_type) = &self.token_type {
            entries.push(("token-type", token_type.into()));
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_url_keeps_its_written_form() {
        for (text, origin) in [
            ("https://idp.example", "https://idp.example"),
            ("https://idp.example/", "https://idp.example"),
            ("https://IDP.example:443/realms/x/", "https://idp.example"),
            ("https://idp.example/api/v1", "https://idp.example"),
            ("http://127.0.0.1:9/x", "http://127.0.0.1:9"),
        ] {
            let issuer = EndpointUrl::issuer(text).unwrap();
            assert_eq!(issuer.as_str(), text);
            assert_eq!(issuer.origin().to_string(), origin);
            assert_eq!(EndpointUrl::token(text).unwrap(), issuer);
        }
        let token = EndpointUrl::token("https://idp.example/t?p=canary").unwrap();
        assert_eq!(token.as_str(), "https://idp.example/t?p=canary");
        assert_eq!(token.to_string(), "https://idp.example/t");
    }

    #[test]
    fn a_token_endpoint_keeps_its_path_and_query() {
        for (text, sent) in [
            ("https://a.example/token", "https://a.example/token"),
            ("https://A.example:443/t/", "https://a.example/t/"),
            ("https://a.example:8443", "https://a.example:8443/"),
            (
                "https://a.example/t?p=b2c&x=%20",
                "https://a.example/t?p=b2c&x=%20",
            ),
            ("http://[::1]/t", "http://[::1]/t"),
        ] {
            assert_eq!(EndpointUrl::token(text).unwrap().url().as_str(), sent);
        }
    }

    #[test]
    fn an_unsafe_endpoint_address_is_refused_without_quoting_it() {
        for bad in [
            "",
            "canary",
            "http://canary.example",
            "http://localhost:1/canary",
            "https://user:canary@idp.example",
            "https://idp.example#canary",
            "https://idp.example.",
            "https:\\\\canary",
            "https://idp.example/a b",
            "ftp://canary",
            "/canary",
            "mailto:a@canary",
            "http://10.0.0.1/canary",
            "http://[::ffff:127.0.0.1]/canary",
            "http://127.0.0.1.canary.example",
            "https://idp.example/token#",
            " https://idp.example",
            "https://idp.example\n",
        ] {
            for parse in [EndpointUrl::issuer, EndpointUrl::token] {
                let e = parse(bad).expect_err(bad);
                assert!(!e.message.contains("canary"), "{e}");
            }
        }
        assert!(EndpointUrl::issuer("https://idp.example?x").is_err());
        for (pasted, meant) in [
            (
                "https://idp.example/x/.well-known/openid-configuration",
                "https://idp.example/x",
            ),
            (
                "https://idp.example/.well-known/oauth-authorization-server",
                "https://idp.example",
            ),
            (
                "https://idp.example/.well-known/oauth-authorization-server/x/y",
                "https://idp.example/x/y",
            ),
            (
                "https://idp.example/.well-known/oauth-authorization-server/x?v=1#top",
                "https://idp.example/x",
            ),
            ("https://idp.example/x?tab=1#top", "https://idp.example/x"),
            ("https://idp.example/x/#", "https://idp.example/x/"),
        ] {
            let e = EndpointUrl::issuer(pasted).unwrap_err();
            assert_eq!(e.suggestion.as_deref(), Some(meant), "{e}");
            assert!(e.to_string().contains(&format!("in {pasted}, ")), "{e}");
        }
        let e = EndpointUrl::token("https://idp.example/t?p=b2c#top").unwrap_err();
        assert_eq!(
            e.to_string(),
            "a token endpoint's address has no # part: in https://idp.example/t?p=b2c#top, https://idp.example is taken for the server, /t for the path, ?p=b2c for the query and #top for the fragment (did you mean https://idp.example/t?p=b2c?)"
        );
        let entra = "https://login.microsoftonline.com/{tenantid}/v2.0";
        for parse in [EndpointUrl::issuer, EndpointUrl::token] {
            let e = parse(entra).unwrap_err();
            assert_eq!(
                e.to_string(),
                "an address has no placeholder, so write your own part in its place: {tenantid} is one"
            );
        }
    }
}
