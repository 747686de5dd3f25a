//! Proposals for the name of a new profile, from its issuer's address.

use url::{Host, Url};

use crate::profile::ProfileName;

/// Common labels of issuers' hosts, which make no good name.
const COMMON: [&str; 24] = [
    "account", "accounts", "api", "app", "auth", "cloud", "console", "control", "iam", "id",
    "identity", "idp", "keycloak", "login", "my", "oauth", "oauth2", "oidc", "portal", "run",
    "secure", "sso", "token", "www",
];

/// The longest part of a host that is proposed, in bytes: a number may follow.
const MAX_LEN: usize = 40;

/// Proposes a name that is not taken: the realm, else the distinctive part of the host, else the provider's kind.
pub(super) fn propose(
    address: &Url,
    kind: &str,
    is_taken: impl Fn(&ProfileName) -> bool,
) -> Option<ProfileName> {
    let name = named_by(address).unwrap_or_else(|| kind.to_owned());
    let numbered = (2..100).map(|n| format!("{name}-{n}"));
    std::iter::once(name.clone())
        .chain(numbered)
        .filter_map(|name| ProfileName::parse(&name).ok())
        .find(|name| !is_taken(name))
}

fn named_by(address: &Url) -> Option<String> {
    let mut segments = address.path_segments()?;
    if segments.any(|segment| segment == "realms") {
        let realm = segments.next().map(str::to_ascii_lowercase);
        return realm.filter(|realm| is_name(realm));
    }
    let Some(Host::Domain(host)) = address.host() else {
        return None;
    };
    let (host, _) = host.rsplit_once('.')?;
    let special = host
        .split('.')
        .find(|label| !COMMON.contains(label) && is_name(label))?;
    Some(special.to_owned())
}

fn is_name(text: &str) -> bool {
    text.len() <= MAX_LEN && ProfileName::parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proposed_profile_name_is_specific_and_unused() {
        for (address, name) in [
            ("https://acme.run.ai/", "acme"),
            ("https://app.run.ai/", "runai"),
            ("https://console.acme.org/", "acme"),
            ("https://runai.acme.org/", "runai"),
            ("https://login.acme.co.uk/oauth2", "acme"),
            ("https://sso.acme.com/realms/Research/", "research"),
            (
                "https://login.microsoftonline.com/x/v2.0",
                "microsoftonline",
            ),
            ("http://127.0.0.1:8080/", "runai"),
            ("http://[::1]/", "runai"),
            ("https://localhost:8080/", "runai"),
            ("https://taken.run.ai/", "taken-3"),
        ] {
            let is_taken = |name: &ProfileName| ["taken", "taken-2"].contains(&name.as_str());
            let proposed = propose(&Url::parse(address).unwrap(), "runai", is_taken);
            assert_eq!(proposed.unwrap().as_str(), name, "{address}");
        }
        assert_eq!(
            propose(&Url::parse("https://a.b").unwrap(), "x", |_| true),
            None
        );
    }
}
