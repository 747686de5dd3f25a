//! Addresses in the configuration: normalises what a user writes or pastes to the one form that is compared.

use std::fmt;

use url::{Host, Url};

mod invalid;
mod parts;
pub(super) mod pasted;

pub use invalid::InvalidUrl;
pub(super) use invalid::{LastUrlPart, NO_QUERY, demand_no_more, invalid, taken_apart};

/// The base address of an issuer: `https://HOST[:PORT][/PATH]`, or `http` for a loopback address; without a trailing
/// slash, an API's path, a query, a fragment or a user.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BaseUrl(Url);

/// `scheme://host[:port]` of an address to which a secret may be sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(Url);

// === impl BaseUrl ===

impl BaseUrl {
    /// Parses an address as written or pasted; removes a trailing slash and the path of an API.
    ///
    /// # Errors
    /// [`InvalidUrl`] if it is not valid.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        let mut url = secure(text)?;
        let path = base_path(url.path());
        let suggestion = || format!("{}{path}", Origin::of(&url));
        demand_no_more(&url, LastUrlPart::Path, NO_QUERY, suggestion)?;
        url.set_path(&path);
        Ok(Self(url))
    }

    /// Its origin.
    pub fn origin(&self) -> Origin {
        Origin::of(&self.0)
    }

    /// Returns the path below which the API is, without a trailing slash. Usually it is empty.
    pub fn path(&self) -> &str {
        self.0.path().trim_end_matches('/')
    }

    /// Returns the address of an endpoint, such as `/api/v2/token`. If the pasted address already ends in a part of an
    /// endpoint's path, that part is dropped.
    #[must_use]
    pub fn endpoint(&self, path: &str) -> Url {
        self.origin().join(&format!("{}{path}", self.base_path()))
    }

    /// Returns the address below which the endpoints are. Two spellings that lead to the same endpoints are equal here.
    #[must_use]
    pub fn base(&self) -> Url {
        self.origin().join(self.base_path())
    }

    /// Describes the address of an endpoint, and says which part of the configured address was taken as the server and
    /// which as the path.
    pub fn describe_endpoint(&self, path: &str) -> String {
        let endpoint = self.endpoint(path);
        match self.base_path() {
            "" => endpoint.to_string(),
            base => format!(
                "{endpoint}: of the configured address, {} is used as the server, and {base} as the path of its API",
                self.origin()
            ),
        }
    }

    fn base_path(&self) -> &str {
        ["/token", "/api"].iter().fold(self.path(), |base, pasted| {
            let less = base.strip_suffix(pasted);
            less.map_or(base, |less| less.trim_end_matches('/'))
        })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path())
    }
}

// === impl Origin ===

impl Origin {
    /// Returns the origin of an address that [`secure`] accepted.
    pub(super) fn of(url: &Url) -> Self {
        let mut origin = url.clone();
        origin.set_path("");
        origin.set_query(None);
        origin.set_fragment(None);
        Self(origin)
    }

    /// Returns the address of `path`, which starts with a slash or is empty.
    pub fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(path);
        url
    }

    /// Reports whether an address has this origin.
    pub fn is_of(&self, url: &Url) -> bool {
        self.0.origin() == url.origin()
    }

    /// Reports whether the host is a loopback address, which is never reached through a proxy and needs no TLS. The
    /// number decides, never a name: a resolver decides what a name means, but 127.0.0.1 has one meaning only.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Reports whether connections to it are encrypted.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl fmt::Display for Origin {
    /// Writes it in lower case and punycode, without the default port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

/// Parses an address to which a secret may be sent: `https`, or `http` to a loopback address. It may have a query and a
/// fragment.
pub(super) fn secure(text: &str) -> Result<Url, InvalidUrl> {
    let url = strict(text, "https")?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(insecure(&url)),
        _ => {
            return Err(invalid(
                "only https is possible, or http for a loopback address such as 127.0.0.1",
            ));
        }
    }
    if url.host_str().is_some_and(|host| host.ends_with('.')) {
        return Err(invalid("the host must not end in a dot"));
    }
    Ok(url)
}

/// Formats the address with possible secrets after its `?` or `#` hidden.
pub(super) fn shown(url: &Url) -> String {
    parts::shown(url)
}

/// Returns the path up to the start of an API's path, without trailing slashes.
fn base_path(path: &str) -> String {
    let parts: Vec<_> = path.split('/').collect();
    let api = parts
        .windows(2)
        .position(|pair| matches!(pair, ["api", "v1" | "v2"]))
        .unwrap_or(parts.len());
    let base: Vec<_> = parts.into_iter().take(api).collect();
    base.join("/").trim_end_matches('/').to_owned()
}

fn insecure(url: &Url) -> InvalidUrl {
    let localhost = url
        .host_str()
        .is_some_and(|host| host == "localhost" || host.ends_with(".localhost"));
    let mut meant = url.clone();
    let changed = if localhost {
        meant.set_host(Some("127.0.0.1")).is_ok()
    } else {
        meant.set_scheme("https").is_ok()
    };
    InvalidUrl {
        message: if localhost {
            "http is possible only for an address that cannot leave this machine; name resolution decides what localhost is, so write 127.0.0.1".into()
        } else {
            "http would send the secret unprotected: https is needed, unless the host is a loopback address such as 127.0.0.1".into()
        },
        pasted: None,
        suggestion: changed.then(|| shown(&meant).trim_end_matches('/').to_owned()),
    }
}

/// Parses an address with a host and without a user. The caller has to refuse a query and a fragment. What the URL
/// standard would silently repair (a missing slash, spaces, line ends, backslashes) is refused: it must be obvious
/// where a secret is sent.
pub(super) fn strict(text: &str, scheme: &str) -> Result<Url, InvalidUrl> {
    if !text.contains("://") {
        return Err(InvalidUrl {
            message: format!("this is not an address: one begins with {scheme}://"),
            pasted: None,
            suggestion: with_scheme(text, scheme),
        });
    }
    if let Some(placeholder) = placeholder(text) {
        return Err(InvalidUrl {
            pasted: Some(format!("{placeholder} is one")),
            ..invalid("an address has no placeholder, so write your own part in its place")
        });
    }
    let violation = std::cell::Cell::new(None);
    let note = |v| violation.set(Some(v));
    let url = Url::options()
        .syntax_violation_callback(Some(&note))
        .parse(text)
        .map_err(|e| invalid(format!("this is not an address: {e}")))?;
    if !url.username().is_empty() || url.password().is_some() || authority(text).contains('@') {
        return Err(invalid("an address must not have a user or password"));
    }
    if let Some(violation) = violation.take() {
        return Err(invalid(format!(
            "this is not an address: {}",
            violation.description()
        )));
    }
    if url.host_str().is_none_or(str::is_empty) || url.port() == Some(0) {
        return Err(invalid("this address has no host, or port 0"));
    }
    Ok(url)
}

/// Finds a placeholder that the reader of some instructions should have replaced, such as `{tenantid}` or `<tenant>`.
/// It looks only where there can be no secret.
fn placeholder(text: &str) -> Option<&str> {
    let text = text.split(['?', '#']).next()?;
    if authority(text).contains('@') {
        return None;
    }
    let is_name = |b: u8| b.is_ascii_alphabetic() || b"-_ ".contains(&b);
    [('{', '}'), ('<', '>')]
        .into_iter()
        .find_map(|(open, close)| {
            let (_, from) = text.split_at_checked(text.find(open)?)?;
            let (part, _) = from.split_at_checked(from.find(close)? + 1)?;
            let name = part.get(1..part.len() - 1)?;
            ((1..=24).contains(&name.len()) && name.bytes().all(is_name)).then_some(part)
        })
}

/// Returns the text between `://` and the path.
fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#', '\\']).next().unwrap_or("")
}

/// Guesses the address that is meant by a text without a scheme, as browsers show it; `None` if the text may be a
/// secret.
fn with_scheme(text: &str, scheme: &str) -> Option<String> {
    let host = text.split(['/', '?', '#']).next()?;
    if !is_host(host) {
        return None;
    }
    let whole = format!("{scheme}://{text}");
    if is_host(text) {
        return Some(whole);
    }
    let url = Url::parse(&whole).ok()?;
    let is_plain = url.path().split('/').all(parts::is_plain);
    is_plain.then(|| shown(&url))
}

/// Reports whether a text looks like a host, with or without a port: it has a dot, is in lower case, and has no long
/// part. A misplaced secret or token does not look like that, and must not be quoted.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.trim_end_matches('/').split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text.trim_end_matches('/'), None),
    };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_label = |label: &str| (1..=24).contains(&label.len()) && label.bytes().all(plain);
    host.contains('.')
        && host.split('.').all(is_label)
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// Reports whether the host is the number ::1, or one in 127.0.0.0/8.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_addresses_normalize_to_the_base_address() {
        for (pasted, origin, path) in [
            ("https://acme.run.ai", "https://acme.run.ai", ""),
            ("https://acme.run.ai///", "https://acme.run.ai", ""),
            ("HTTPS://Acme.Run.AI:443/", "https://acme.run.ai", ""),
            ("https://acme.run.ai/api/v1", "https://acme.run.ai", ""),
            ("https://acme.run.ai/api/v1/", "https://acme.run.ai", ""),
            (
                "https://acme.run.ai/api/v2/token",
                "https://acme.run.ai",
                "",
            ),
            (
                "https://acme.run.ai//api/v2//token",
                "https://acme.run.ai",
                "",
            ),
            (
                "https://console.x.org:8443/runai/",
                "https://console.x.org:8443",
                "/runai",
            ),
            (
                "https://x.org/runai/api/v1/token",
                "https://x.org",
                "/runai",
            ),
            ("https://x.org/api", "https://x.org", "/api"),
            ("https://x.org/api/v10", "https://x.org", "/api/v10"),
            (
                "https://bücher.example",
                "https://xn--bcher-kva.example",
                "",
            ),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080", ""),
            ("http://127.8.9.1", "http://127.8.9.1", ""),
            ("http://[::1]:80", "http://[::1]", ""),
            ("https://localhost:8443", "https://localhost:8443", ""),
        ] {
            let url = BaseUrl::parse(pasted).unwrap_or_else(|e| panic!("{pasted}: {e}"));
            assert_eq!(
                (url.origin().to_string().as_str(), url.path()),
                (origin, path),
                "{pasted}"
            );
            assert_eq!(url.to_string(), format!("{origin}{path}"));
            assert_eq!(BaseUrl::parse(&url.to_string()).unwrap(), url, "stable");
            let base = path.strip_suffix("/api").unwrap_or(path);
            assert_eq!(url.base(), Url::parse(&format!("{origin}{base}")).unwrap());
            assert_eq!(
                url.endpoint("/api/v2/token").as_str(),
                format!("{origin}{base}/api/v2/token")
            );
            assert_eq!(
                url.origin().is_loopback(),
                pasted.contains("//127") || pasted.contains("::1")
            );
        }
    }

    #[test]
    fn an_unsafe_base_address_is_refused_without_quoting_it() {
        for (bad, why) in [
            ("http://acme.run.ai", "unprotected"),
            ("http://localhost", "127.0.0.1"),
            ("http://127.0.0.1.nip.io", "unprotected"),
            ("http://[::ffff:127.0.0.1]", "unprotected"),
            ("http://0.0.0.0", "unprotected"),
            ("http://10.0.0.1", "unprotected"),
            ("ftp://canary", "only https"),
            ("file:///canary", "no host"),
            ("unix:///canary", "no host"),
            ("https://user:canary@acme.run.ai", "user or password"),
            ("https://@acme.run.ai", "user or password"),
            ("https://acme.run.ai?token=canary", "? or #"),
            ("https://acme.run.ai/#token=canary", "# part"),
            ("http://acme.run.ai/?token=canary", "unprotected"),
            ("http://localhost/#token=canary", "127.0.0.1"),
            ("https://{tenantid}.run.ai", "no placeholder"),
            ("https://acme.run.ai/<your tenant>/x", "no placeholder"),
            ("https://acme.run.ai/{canary1}", "not an address"),
            ("https://acme.run.ai/?x={canary}", "not an address"),
            ("https://me:{canary}@acme.run.ai", "user or password"),
            ("{canary}", "https://"),
            ("https://acme.run.ai?", "? or #"),
            ("https://", "not an address"),
            ("https:///acme.run.ai", "not an address"),
            ("https:\\\\acme.run.ai", "not an address"),
            ("https://acme.run.ai\\@evil", "not an address"),
            ("https://a b", "not an address"),
            (" https://acme.run.ai", "not an address"),
            ("https://acme.run.ai\n", "not an address"),
            ("https://acme.run.ai:0", "port 0"),
            ("https://acme.run.ai:99999", "not an address"),
            ("https://acme.run.ai.", "dot"),
            ("acme.run.ai", "https://"),
            ("", "https://"),
        ] {
            let e = BaseUrl::parse(bad).expect_err(bad);
            assert!(e.message.contains(why), "{bad}: {e}");
            assert!(!e.to_string().contains("canary"), "{e}");
        }
    }

    #[test]
    fn an_invalid_address_is_shown_with_its_parts_named() {
        let e = BaseUrl::parse("https://acme.run.ai/projects?tab=jobs#top").unwrap_err();
        assert_eq!(
            e.to_string(),
            "this address must not have a ? or # part: in https://acme.run.ai/projects?tab=jobs#top, https://acme.run.ai is taken for the server, /projects for the path, ?tab=jobs for the query and #top for the fragment (did you mean https://acme.run.ai/projects?)"
        );
        let e = BaseUrl::parse("https://acme.run.ai/api/v2/token#/x").unwrap_err();
        assert_eq!(e.suggestion.as_deref(), Some("https://acme.run.ai"));
        for (url, asked_at) in [
            ("https://acme.run.ai", "https://acme.run.ai/api/v2/token"),
            (
                "https://acme.run.ai/projects",
                "https://acme.run.ai/projects/api/v2/token: of the configured address, https://acme.run.ai is used as the server, and /projects as the path of its API",
            ),
        ] {
            assert_eq!(
                BaseUrl::parse(url)
                    .unwrap()
                    .describe_endpoint("/api/v2/token"),
                asked_at
            );
        }
    }

    #[test]
    fn an_invalid_address_gets_a_suggestion() {
        for (bad, meant) in [
            ("acme.run.ai", Some("https://acme.run.ai")),
            ("acme.run.ai:8443/", Some("https://acme.run.ai:8443/")),
            ("http://acme.run.ai/", Some("https://acme.run.ai")),
            ("http://localhost:8080/", Some("http://127.0.0.1:8080")),
            ("user:pw@acme", None),
            ("acme", None),
            ("acme.run.ai:x", None),
            (
                "acme.run.ai/projects?tab=jobs&key=canary#top",
                Some("https://acme.run.ai/projects?tab=jobs&key=[...]#top"),
            ),
            (
                "acme.run.ai:8443/api/v1/",
                Some("https://acme.run.ai:8443/api/v1/"),
            ),
            ("a1b2.c3d4/dGhpcyBpcyBhIHNlY3JldA", None),
            ("eyJhbGciOiJI.eyJleHAiOjYw.c2lnbmF0", None),
            ("0123456789abcdef0123456789abcdef", None),
            ("0123456789abcdef0123456789abcdef.a", None),
        ] {
            let e = BaseUrl::parse(bad).unwrap_err();
            assert_eq!(e.suggestion.as_deref(), meant, "{bad}");
        }
    }
}
