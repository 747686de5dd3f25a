//! Addresses as people paste them: without a scheme, with the path of a page, in brackets.

use url::Url;

use super::{InvalidUrl, is_host, is_loopback, secure, strict};

/// Completes a pasted text to the address that is meant. The caller has to drop its query and its fragment.
///
/// # Errors
/// [`InvalidUrl`] if the text is not an address, or may be a secret that was pasted in the wrong place.
pub(in crate::config) fn meant(text: &str) -> Result<Url, InvalidUrl> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || "<>\"'`".contains(c));
    let mut whole = text.to_owned();
    if !text.contains("://") {
        let host = text.split(['/', '?', '#']).next().unwrap_or_default();
        if is_host(&host.to_ascii_lowercase()) {
            whole = format!("https://{text}");
            if Url::parse(&whole).is_ok_and(|url| is_loopback(&url)) {
                whole = format!("http://{text}");
            }
        }
    }
    let mut url = strict(&whole, "https")?;
    if url.scheme() == "http" && !is_loopback(&url) {
        let is_localhost = url.host_str() == Some("localhost");
        // If this fails, the check below refuses the address.
        let _: Result<(), ()> = match is_localhost {
            true => url.set_host(Some("127.0.0.1")).map_err(drop),
            false => url.set_scheme("https"),
        };
    }
    secure(url.as_str())
}

/// Returns the paths from the root to the address's own, without trailing slashes: the shortest first, which is empty.
pub(in crate::config) fn paths(url: &Url) -> Vec<String> {
    let mut paths = vec![String::new()];
    let mut path = String::new();
    for segment in url.path().split('/').filter(|it| !it.is_empty()) {
        path = format!("{path}/{segment}");
        paths.push(path.clone());
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_address_normalizes_to_a_full_url() {
        for (pasted, whole) in [
            ("https://acme.run.ai", "https://acme.run.ai/"),
            ("acme.run.ai", "https://acme.run.ai/"),
            ("Acme.Run.AI/projects", "https://acme.run.ai/projects"),
            ("acme.run.ai:8443", "https://acme.run.ai:8443/"),
            ("http://acme.run.ai/x", "https://acme.run.ai/x"),
            (" <https://acme.run.ai/> ", "https://acme.run.ai/"),
            ("\"https://acme.run.ai\"", "https://acme.run.ai/"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("http://localhost:8080/x", "http://127.0.0.1:8080/x"),
            ("https://a.example/#/x?y", "https://a.example/#/x?y"),
        ] {
            assert_eq!(meant(pasted).unwrap().as_str(), whole, "{pasted}");
        }
    }

    #[test]
    fn pasted_text_that_may_be_a_secret_is_not_parsed_as_a_host() {
        for pasted in [
            "",
            "canary",
            "canary-Secret1234",
            "eyJhbGciOi.canary.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw",
            "https://me:canary@a.example",
            "ftp://canary.example",
            "https://a b",
        ] {
            let invalid = meant(pasted).unwrap_err();
            assert!(!invalid.to_string().contains("canary"), "{invalid}");
        }
    }

    #[test]
    fn possible_base_paths_are_listed_shortest_first() {
        for (address, all) in [
            ("https://a", &[""][..]),
            ("https://a/", &[""]),
            ("https://a/x//y/", &["", "/x", "/x/y"]),
        ] {
            assert_eq!(paths(&Url::parse(address).unwrap()), all);
        }
    }
}
