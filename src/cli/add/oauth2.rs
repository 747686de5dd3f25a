//! The arguments of `jetond add --provider oauth2`.

use std::collections::BTreeSet;

use crate::config::oauth2::{self, At, ClientAuth, EndpointUrl, Oauth2};

/// What is asked of an OAuth 2.0 issuer.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of --provider oauth2")]
pub(super) struct Oauth2Args {
    /// The issuer, exactly as it calls itself: its discovery document says where the token endpoint is
    #[arg(long, value_name = "URL", value_parser = EndpointUrl::issuer)]
    issuer: Option<EndpointUrl>,
    /// The token endpoint, in place of --issuer
    #[arg(long, value_name = "URL", value_parser = EndpointUrl::token, conflicts_with = "issuer")]
    token_url: Option<EndpointUrl>,
    /// How the client ID and the secret are sent: in a header or in the body
    #[arg(long, value_parser = ["basic", "post"])]
    client_auth: Option<String>,
    /// A scope to ask for; may be repeated
    #[arg(long, value_parser = oauth2::scope)]
    scope: Vec<String>,
    /// The audience to ask for
    #[arg(long, value_parser = oauth2::value)]
    audience: Option<String>,
    /// A resource to ask for; may be repeated
    #[arg(long, value_name = "URI", value_parser = oauth2::resource)]
    resource: Vec<String>,
    /// A further parameter of the request, which the configuration keeps: nothing secret; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = extra)]
    extra: Vec<(String, String)>,
}

/// The arguments above, as they are typed.
pub(super) const OAUTH2_NAMES: &str =
    "--issuer, --token-url, --client-auth, --scope, --audience, --resource and --extra";

/// The arguments above, for what excludes all of them.
pub(super) const NAMES: &[&str] = &[
    "issuer",
    "token_url",
    "client_auth",
    "scope",
    "audience",
    "resource",
    "extra",
];

impl Oauth2Args {
    pub(super) const fn is_empty(&self) -> bool {
        self.issuer.is_none()
            && self.token_url.is_none()
            && self.client_auth.is_none()
            && self.scope.is_empty()
            && self.audience.is_none()
            && self.resource.is_empty()
            && self.extra.is_empty()
    }

    /// The issuer that the arguments describe, if they do.
    pub(super) fn issuer(&self) -> Option<Oauth2> {
        let issuer = self.issuer.clone().map(At::Issuer);
        Some(Oauth2 {
            at: issuer.or_else(|| self.token_url.clone().map(At::Token))?,
            client_auth: match self.client_auth.as_deref() {
                Some("post") => ClientAuth::Post,
                _ => ClientAuth::Basic,
            },
            scope: self.scope.clone(),
            audience: self.audience.clone(),
            resource: self.resource.clone(),
            extra: self.extra.iter().cloned().collect(),
        })
    }

    /// A further parameter that is given twice: a request has each once (RFC 6749 section 3.2).
    pub(super) fn given_twice(&self) -> Option<&str> {
        let mut seen = BTreeSet::new();
        let mut names = self.extra.iter().map(|(name, _)| name.as_str());
        names.find(|name| !seen.insert(*name))
    }
}

/// Takes a further parameter. A value that is not taken is not repeated, since it may be a secret after all.
fn extra(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("this is not NAME=VALUE, such as tenant=acme")?;
    Ok((oauth2::parameter(name)?, oauth2::value(value)?))
}
