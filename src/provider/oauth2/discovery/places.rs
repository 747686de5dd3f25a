//! The addresses where an issuer's document may be, and the order in which they are requested.

use std::sync::atomic::{AtomicU8, Ordering};

use url::Url;

use crate::config::oauth2::EndpointUrl;

/// A rule that derives a document's address from the issuer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DocumentRule {
    /// The well-known part before the issuer's path (RFC 8414 section 3.1).
    Inserted,
    /// The same part after the path, as Okta and others place it.
    Appended,
    /// The part of `OpenID` Connect Discovery section 4, after the path.
    OpenId,
}

/// The rule that found the last document. It is tried first the next time.
#[derive(Debug, Default)]
pub struct LastRule(AtomicU8);

impl DocumentRule {
    const ALL: [Self; 3] = [Self::Inserted, Self::Appended, Self::OpenId];

    fn url(self, issuer: &EndpointUrl) -> Url {
        let (origin, path) = (issuer.origin(), issuer.path());
        match self {
            Self::Inserted => {
                origin.join(&format!("/.well-known/oauth-authorization-server{path}"))
            }
            Self::Appended => {
                origin.join(&format!("{path}/.well-known/oauth-authorization-server"))
            }
            Self::OpenId => origin.join(&format!("{path}/.well-known/openid-configuration")),
        }
    }
}

/// Returns the addresses where the issuer's document may be, without duplicates, in the order in which they are
/// requested.
pub(super) fn documents(issuer: &EndpointUrl, last: &LastRule) -> Vec<(DocumentRule, Url)> {
    let mut places = DocumentRule::ALL;
    places.sort_by_key(|place| Some(*place) != last.get());
    let mut documents: Vec<(DocumentRule, Url)> = vec![];
    for place in places {
        let url = place.url(issuer);
        // Without a path, the first two are the same.
        if !documents.iter().any(|(_, known)| *known == url) {
            documents.push((place, url));
        }
    }
    documents
}

// === impl LastPlace ===

impl LastRule {
    fn get(&self) -> Option<DocumentRule> {
        let number = usize::from(self.0.load(Ordering::Relaxed));
        number
            .checked_sub(1)
            .and_then(|at| DocumentRule::ALL.get(at).copied())
    }

    /// Records that a document was found by this rule.
    pub(super) fn set(&self, place: DocumentRule) {
        self.0.store(place as u8 + 1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(issuer: &str, last: &LastRule) -> Vec<String> {
        let issuer = EndpointUrl::issuer(issuer).unwrap();
        let documents = documents(&issuer, last).into_iter();
        documents.map(|(_, url)| url.to_string()).collect()
    }

    #[test]
    fn metadata_addresses_follow_the_standards_and_okta() {
        for (issuer, places) in [
            (
                "https://a.example",
                &[
                    "https://a.example/.well-known/oauth-authorization-server",
                    "https://a.example/.well-known/openid-configuration",
                ][..],
            ),
            (
                "https://a.example/",
                &[
                    "https://a.example/.well-known/oauth-authorization-server",
                    "https://a.example/.well-known/openid-configuration",
                ],
            ),
            (
                "https://a.example:8443/realms/x/",
                &[
                    "https://a.example:8443/.well-known/oauth-authorization-server/realms/x",
                    "https://a.example:8443/realms/x/.well-known/oauth-authorization-server",
                    "https://a.example:8443/realms/x/.well-known/openid-configuration",
                ],
            ),
            (
                "https://acme.okta.com/oauth2/aus1a2b3c",
                &[
                    "https://acme.okta.com/.well-known/oauth-authorization-server/oauth2/aus1a2b3c",
                    "https://acme.okta.com/oauth2/aus1a2b3c/.well-known/oauth-authorization-server",
                    "https://acme.okta.com/oauth2/aus1a2b3c/.well-known/openid-configuration",
                ],
            ),
        ] {
            assert_eq!(addresses(issuer, &LastRule::default()), places);
            let parsed = EndpointUrl::issuer(issuer).unwrap();
            assert_eq!(parsed.as_str(), issuer, "as it was written");
        }
    }

    #[test]
    fn the_last_successful_metadata_address_is_requested_first() {
        let issuer = "https://a.example/x";
        let first = addresses(issuer, &LastRule::default());
        for (at, place) in DocumentRule::ALL.into_iter().enumerate() {
            let last = LastRule::default();
            last.set(place);
            let mut asked = addresses(issuer, &last);
            assert_eq!(asked[0], first[at]);
            asked.sort();
            let mut all = first.clone();
            all.sort();
            assert_eq!(asked, all);
        }
        // If two rules give the same address, either is right.
        let last = LastRule::default();
        last.set(DocumentRule::Appended);
        let asked = addresses("https://a.example", &last);
        assert_eq!(asked, addresses("https://a.example", &LastRule::default()));
    }
}
