//! Interprets a pasted address: that of a discovery document, a token endpoint, an issuer, or a page of its console.

use super::EndpointUrl;
use crate::config::kind::AddressCandidate;
use crate::config::url::{InvalidUrl, Origin, pasted};

/// The most issuers that a pasted address is tried as.
const MAX_ISSUERS: usize = 8;

/// Returns the addresses that a pasted text may stand for.
///
/// # Errors
/// [`InvalidUrl`] if the text stands for no address.
pub(super) fn addresses(text: &str) -> Result<Vec<AddressCandidate>, InvalidUrl> {
    let mut meant = pasted::meant(text)?;
    if is_token_endpoint(meant.path()) {
        meant.set_fragment(None);
        let endpoint = EndpointUrl::token(meant.as_str())?;
        return Ok(vec![AddressCandidate {
            option: "token-url",
            value: endpoint.as_str().to_owned(),
        }]);
    }
    if meant.path().contains("/.well-known/")
        && let Err(document) = EndpointUrl::issuer(meant.as_str())
        && let Some(issuer) = &document.suggestion
    {
        meant = pasted::meant(issuer)?;
    }
    let origin = Origin::of(&meant);
    let has_slash = meant.path().ends_with('/') && meant.path() != "/";
    let issuer = |path: &str, slash: bool| AddressCandidate {
        option: "issuer",
        value: format!("{origin}{path}{}", if slash { "/" } else { "" }),
    };
    // A final slash is part of an issuer's identifier, but people drop it and web pages add it.
    let both = |path: String| [has_slash, !has_slash].map(|slash| issuer(&path, slash));
    let paths = pasted::paths(&meant).into_iter().rev();
    Ok(paths.flat_map(both).take(MAX_ISSUERS).collect())
}

/// Reports whether the path ends in the way of token endpoints: `/token`, `/oauth/token`, `/as/token.oauth2`.
fn is_token_endpoint(path: &str) -> bool {
    let last = path.trim_end_matches('/').rsplit('/').next();
    let last = last.unwrap_or_default().to_ascii_lowercase();
    let stem = last.split('.').next().unwrap_or_default();
    ["token", "tokens"].contains(&stem) || stem.ends_with("_token") || stem.ends_with("-token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_address_is_recognized_as_issuer_or_token_url() {
        for (pasted, option, values) in [
            (
                "login.acme.com",
                "issuer",
                &["https://login.acme.com", "https://login.acme.com/"][..],
            ),
            (
                "https://login.acme.com/",
                "issuer",
                &["https://login.acme.com", "https://login.acme.com/"],
            ),
            (
                "https://a.example/realms/x/.well-known/openid-configuration",
                "issuer",
                &[
                    "https://a.example/realms/x",
                    "https://a.example/realms/x/",
                    "https://a.example/realms",
                    "https://a.example/realms/",
                    "https://a.example",
                    "https://a.example/",
                ],
            ),
            (
                "https://a.example/.well-known/oauth-authorization-server/x",
                "issuer",
                &[
                    "https://a.example/x",
                    "https://a.example/x/",
                    "https://a.example",
                    "https://a.example/",
                ],
            ),
            (
                "https://a.example/x/?tab=1#top",
                "issuer",
                &[
                    "https://a.example/x/",
                    "https://a.example/x",
                    "https://a.example/",
                    "https://a.example",
                ],
            ),
            (
                "https://a.example/oauth2/v2.0/token",
                "token-url",
                &["https://a.example/oauth2/v2.0/token"],
            ),
            (
                "a.example/as/token.oauth2?p=b2c#x",
                "token-url",
                &["https://a.example/as/token.oauth2?p=b2c"],
            ),
            (
                "https://a.example/oauth/access_token/",
                "token-url",
                &["https://a.example/oauth/access_token/"],
            ),
        ] {
            let all = addresses(pasted).unwrap();
            assert!(all.iter().all(|one| one.option == option), "{pasted}");
            let all: Vec<_> = all.iter().map(|one| one.value.as_str()).collect();
            assert_eq!(all, values, "{pasted}");
        }
        let deep = addresses("https://a.example/a/b/c/d/e/f/g").unwrap();
        assert_eq!(deep.len(), MAX_ISSUERS);
    }
}
