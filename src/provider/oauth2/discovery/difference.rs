//! Explains how the issuer in a document differs from the configured one, to the person who has to correct the
//! configuration.

use super::unfound::Informativeness;
use crate::config::oauth2::EndpointUrl;
use crate::provider::quote::quote_address;

/// Returns how informative the difference between the two issuers is, and the text after "the discovery document". The
/// text quotes the issuer's name, unless the name is not an address.
pub(super) fn explain(named: &str, issuer: &EndpointUrl) -> (Informativeness, String) {
    let Some(quoted) = quote_address(named) else {
        let what =
            "names another issuer than the configured one, by something that is not an address";
        return (Informativeness::OtherIssuer, what.to_owned());
    };
    let configured = issuer.as_str();
    let similar = |why: &str| {
        let what = format!("names another issuer, {quoted}: {why}");
        (Informativeness::SimilarIssuer, what)
    };
    if let Some(placeholder) = placeholder(named) {
        return similar(&format!(
            "that is the document of all tenants, and {placeholder} stands for the ID of one of them; write the issuer with your tenant's ID there"
        ));
    }
    let bare = |text: &str| text.trim_end_matches('/').to_owned();
    if bare(named) == bare(configured) {
        let with = if named.ends_with('/') {
            "with"
        } else {
            "without"
        };
        return similar(&format!(
            "the two differ in the final slash, so write the issuer as it does, {with} it"
        ));
    }
    let (named, configured) = (bare(named), bare(configured));
    if named.eq_ignore_ascii_case(&configured) {
        return similar("the two differ in upper and lower case, so write the issuer as it does");
    }
    let scheme = |text: &str| text.split_once("://").map(|(_, rest)| rest.to_owned());
    if scheme(&named) == scheme(&configured) {
        return similar(
            "the two differ only in http and https: behind a proxy, the issuer may not know its public address; fix that at the issuer, or set token-url",
        );
    }
    let what = format!(
        "names another issuer than the configured one, {quoted}: if that is the issuer that you mean, write it so; otherwise correct the address"
    );
    (Informativeness::OtherIssuer, what)
}

/// Finds a part in braces, such as `{tenantid}` of Entra's `common`.
fn placeholder(named: &str) -> Option<&str> {
    let (_, from) = named.split_at_checked(named.find('{')?)?;
    let (part, _) = from.split_at_checked(from.find('}')? + 1)?;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_different_issuer_is_quoted_with_the_difference() {
        for (configured, named, why) in [
            (
                "https://acme.auth0.com",
                "https://acme.auth0.com/",
                "names another issuer, \"https://acme.auth0.com/\": the two differ in the final slash, so write the issuer as it does, with it",
            ),
            (
                "https://idp.example/x/",
                "https://idp.example/x",
                "names another issuer, \"https://idp.example/x\": the two differ in the final slash, so write the issuer as it does, without it",
            ),
            (
                "https://login.microsoftonline.com/common/v2.0",
                "https://login.microsoftonline.com/{tenantid}/v2.0",
                "{tenantid} stands for the ID of one of them; write the issuer with your tenant's ID there",
            ),
            (
                "https://idp.example/Realms/x",
                "https://idp.example/realms/x",
                "differ in upper and lower case",
            ),
            (
                "https://idp.example/realms/x",
                "http://idp.example/realms/x",
                "differ only in http and https",
            ),
        ] {
            let issuer = EndpointUrl::issuer(configured).unwrap();
            let (telling, what) = explain(named, &issuer);
            assert_eq!(telling, Informativeness::SimilarIssuer, "{what}");
            assert!(what.contains(&format!("names another issuer, \"{named}\": ")));
            assert!(what.contains(why), "{what}");
        }
        let issuer = EndpointUrl::issuer("https://idp.example/x").unwrap();
        for named in [
            "https://other.example",
            "https://idp.example/x?",
            "https://idp.example:443/x",
            "https://login.microsoftonline.com/6731de76-14a6-49ae-97bc-6eba6914391e/v2.0",
        ] {
            let (telling, what) = explain(named, &issuer);
            assert_eq!(telling, Informativeness::OtherIssuer, "{what}");
            let quoted = format!("names another issuer than the configured one, \"{named}\": ");
            assert!(what.contains(&quoted), "{what}");
        }
        for named in [
            "",
            "canary",
            "https://canary\u{1b}[31m",
            "ftp://canary",
            "https://a canary",
        ] {
            let (telling, what) = explain(named, &issuer);
            assert_eq!(telling, Informativeness::OtherIssuer, "{what}");
            assert!(what.contains("names another issuer") && !what.contains("canary"));
        }
    }
}
