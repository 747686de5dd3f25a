//! The addresses for which a client wants a token, and those that a profile is for: one parse for both, and one
//! comparison.
//!
//! A helper's client is led by what others write: a repository's submodule, a registry's realm, a page of an index. What
//! two programs may read in two ways is refused here before it is compared (CVE-2020-5260, CVE-2020-11008,
//! CVE-2024-52006, CVE-2024-53263).

use std::fmt;

use url::{Host, Url};

/// An address as it is compared: scheme, host and port after one parse, and a path of whole segments.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    url: Url,
}

/// Why an address is refused: a fixed sentence, since the address itself may hold a secret or terminal escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidAddress(pub &'static str);

// === impl Address ===

impl Address {
    /// Parses an address. A host alone, with or without a port, is taken as `https`; cargo's `sparse+` is left out, and
    /// so is a query.
    ///
    /// # Errors
    /// [`InvalidAddress`] for what is not `https` (or `http` to a loopback literal), has a user, an empty or doubtful
    /// host or port, a fragment, or a path that programs read in more than one way.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let text = text.strip_prefix("sparse+").unwrap_or(text);
        if text.chars().any(is_refused) {
            return Err(InvalidAddress(
                "the address has a control character, a space or a backslash",
            ));
        }
        let whole = match text.split_once("://") {
            Some(_) => text.to_owned(),
            None => format!("https://{text}"),
        };
        let (_, rest) = whole.split_once("://").unwrap_or(("", &whole));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, after) = rest.split_at(end);
        demand_authority(authority)?;
        if after.contains('#') {
            return Err(InvalidAddress("the address has a fragment"));
        }
        demand_path(after.split('?').next().unwrap_or_default())?;
        let mut url = Url::parse(&whole).map_err(|_| InvalidAddress("this is not an address"))?;
        url.set_query(None);
        demand_scheme(&url)?;
        if url
            .host_str()
            .is_none_or(|host| host.is_empty() || host.ends_with('.'))
        {
            return Err(InvalidAddress("the host is empty or ends in a dot"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self { url })
    }

    /// The path without a slash at its end; empty if there is none.
    pub fn path(&self) -> &str {
        self.url.path().trim_end_matches('/')
    }

    /// Whether this address covers another one: the same origin, and a path that ends at a segment of the other's.
    pub fn covers(&self, other: &Self) -> bool {
        let rest = other.path().strip_prefix(self.path());
        self.url.origin() == other.url.origin()
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// `host[:port]`, the port only where it is not the scheme's own.
    pub fn host(&self) -> String {
        let origin = self.url.origin().ascii_serialization();
        let host = origin.split_once("://").map_or("", |(_, host)| host);
        host.to_owned()
    }
}

impl fmt::Display for Address {
    /// In lower case and punycode, without the default port and without a slash at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}",
            self.url.origin().ascii_serialization(),
            self.path()
        )
    }
}

fn is_refused(c: char) -> bool {
    c.is_control() || c.is_whitespace() || c == '\\'
}

fn demand_authority(authority: &str) -> Result<(), InvalidAddress> {
    if authority.is_empty() {
        return Err(InvalidAddress("the address has no host"));
    }
    if authority.contains('@') {
        return Err(InvalidAddress("the address names a user"));
    }
    let after_host = authority
        .rsplit_once(']')
        .map_or(authority, |(_, port)| port);
    let port = after_host.split_once(':').map(|(_, port)| port);
    let is_port = |port: &str| {
        port.bytes().all(|b| b.is_ascii_digit()) && !port.is_empty() && !port.starts_with('0')
    };
    match port {
        Some(port) if !is_port(port) => Err(InvalidAddress("the port is no number from 1 on")),
        _ => Ok(()),
    }
}

/// Refuses a path that some programs shorten, decode or cut, and others do not.
fn demand_path(path: &str) -> Result<(), InvalidAddress> {
    let lower = path.to_ascii_lowercase();
    let is_dots = |segment: &str| matches!(segment, "." | "..");
    let is_doubtful = path.contains("//")
        || path.contains(';')
        || ["%2e", "%2f", "%5c"]
            .iter()
            .any(|code| lower.contains(code))
        || path.split('/').any(is_dots);
    if is_doubtful {
        return Err(InvalidAddress(
            "programs read the path of the address in more than one way",
        ));
    }
    Ok(())
}

fn demand_scheme(url: &Url) -> Result<(), InvalidAddress> {
    let is_loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        _ => false,
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback => Ok(()),
        _ => Err(InvalidAddress(
            "only https is possible, or http to a loopback literal such as 127.0.0.1",
        )),
    }
}

// === impl InvalidAddress ===

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidAddress {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_compared_in_one_form() {
        for (text, shown) in [
            ("https://Git.Example", "https://git.example"),
            ("HTTPS://git.example:443/", "https://git.example"),
            ("git.example:8443", "https://git.example:8443"),
            (
                "sparse+https://crates.example/index/",
                "https://crates.example/index",
            ),
            ("http://127.0.0.1:8080/x?y", "http://127.0.0.1:8080/x"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            (
                "https://bücher.example/a",
                "https://xn--bcher-kva.example/a",
            ),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_programs_read_in_two_ways_is_refused() {
        for text in [
            "",
            "https://",
            "https:///x",
            "//x",
            ":443",
            "http://git.example",
            "ftp://git.example",
            "https://git.example.",
            "https://user@git.example",
            "https://git.example:",
            "https://git.example:0443",
            "https://git.example:443.evil.example",
            "https://git.example/a/../b",
            "https://git.example/a/%2E%2e/b",
            "https://git.example/a%2fb",
            "https://git.example/a//b",
            "https://git.example/a;b",
            "https://git.example\\evil",
            "https://git.example/\nhost=evil",
            "https://git.example/#x",
            "https://xn--a/",
        ] {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_entry_covers_whole_segments() {
        let covers = |entry: &str, asked: &str| {
            let [entry, asked] = [entry, asked].map(|text| Address::parse(text).unwrap());
            entry.covers(&asked)
        };
        assert!(covers("https://a.example", "https://a.example/x"));
        assert!(covers("https://a.example/team/", "https://a.example/team"));
        assert!(covers(
            "https://a.example/team",
            "https://a.example/team/x.git"
        ));
        assert!(!covers("https://a.example/team", "https://a.example/teams"));
        assert!(!covers("https://a.example/team", "https://a.example"));
        assert!(!covers("https://a.example", "https://a.example:8443"));
        assert!(!covers("https://a.example", "https://b.a.example"));
    }
}
