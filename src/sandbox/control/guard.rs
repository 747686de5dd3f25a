//! Rejects requests from web pages before their path is read.
//!
//! A page can make a browser send requests to any address that it can reach, under a name of the page's choice (DNS
//! rebinding). Such requests could switch faults.

use std::net::SocketAddr;

use hyper::header::{HOST, ORIGIN, REFERER};
use hyper::http::{HeaderName, HeaderValue};
use hyper::{Request, Version};

/// The port that clients omit from an `http` address.
const HTTP: u16 = 80;

/// The reason why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A browser sent it for a web page.
    WebPage,
    /// It names another host, or none.
    Host,
}

/// Accepts requests that a tool sends to `address`.
///
/// # Errors
/// The reason why the request is refused.
pub(super) fn check<B>(request: &Request<B>, address: SocketAddr) -> Result<(), Refusal> {
    let headers = request.headers();
    if headers
        .iter()
        .any(|(name, value)| is_of_a_page(name, value))
    {
        return Err(Refusal::WebPage);
    }
    let mut hosts = headers.get_all(HOST).iter();
    let authority = request.uri().authority();
    let right = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().is_ok_and(|host| is_ours(host, address)),
        (None, None) => request.version() == Version::HTTP_10,
        _ => false,
    };
    if right && authority.is_none_or(|authority| is_ours(authority.as_str(), address)) {
        Ok(())
    } else {
        Err(Refusal::Host)
    }
}

/// Returns whether browsers send this header for web pages. The `fetch` of Node and of Deno sends only
/// `Sec-Fetch-Mode: cors`.
fn is_of_a_page(name: &HeaderName, value: &HeaderValue) -> bool {
    match name.as_str() {
        "sec-fetch-mode" => value != "cors",
        name => name == ORIGIN || name == REFERER || name.starts_with("sec-fetch-"),
    }
}

fn is_ours(host: &str, address: SocketAddr) -> bool {
    host == address.to_string()
        || address.port() == HTTP && address.to_string().strip_suffix(":80") == Some(host)
}

// === impl Refusal ===

impl Refusal {
    /// Formats the refusal for the client, with the address that it should have used.
    pub(super) fn text(&self, address: SocketAddr) -> String {
        match self {
            Self::WebPage => "requests of web pages are refused".to_owned(),
            Self::Host => format!("the Host header is not '{address}'"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(
        version: Version,
        uri: &str,
        headers: &[(&str, &str)],
        address: &str,
    ) -> Result<(), Refusal> {
        let mut request = Request::builder().version(version).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap(), address.parse().unwrap())
    }

    #[test]
    fn a_tool_that_uses_the_printed_address_is_let_through() {
        let host = ("host", "127.0.0.1:4100");
        for (version, uri, headers, address) in [
            (Version::HTTP_11, "/", &[host][..], "127.0.0.1:4100"),
            (Version::HTTP_10, "/", &[host], "127.0.0.1:4100"),
            (Version::HTTP_10, "/", &[], "127.0.0.1:4100"),
            (
                Version::HTTP_11,
                "http://127.0.0.1:4100/fault",
                &[host],
                "127.0.0.1:4100",
            ),
            (
                Version::HTTP_11,
                "/",
                &[("host", "[::1]:4100")],
                "[::1]:4100",
            ),
            (
                Version::HTTP_11,
                "/",
                &[("host", "127.0.0.1")],
                "127.0.0.1:80",
            ),
            (
                Version::HTTP_11,
                "/",
                &[("host", "127.0.0.1:80")],
                "127.0.0.1:80",
            ),
            (
                Version::HTTP_11,
                "/",
                &[host, ("sec-fetch-mode", "cors")],
                "127.0.0.1:4100",
            ),
        ] {
            let said = verdict(version, uri, headers, address);
            assert_eq!(said, Ok(()), "{version:?} {uri} {headers:?}");
        }
    }

    #[test]
    fn requests_of_web_pages_and_for_other_hosts_are_refused() {
        let host = ("host", "127.0.0.1:4100");
        let (h10, h11) = (Version::HTTP_10, Version::HTTP_11);
        for (version, uri, headers, why) in [
            (h11, "/", &[][..], Refusal::Host),
            (h11, "/", &[("host", "")], Refusal::Host),
            (h11, "/", &[("host", "127.0.0.1")], Refusal::Host),
            (h11, "/", &[("host", "127.0.0.1:4101")], Refusal::Host),
            (h11, "/", &[("host", "localhost:4100")], Refusal::Host),
            (h11, "/", &[("host", "evil.example:4100")], Refusal::Host),
            (h10, "/", &[("host", "evil.example")], Refusal::Host),
            (h11, "/", &[host, host], Refusal::Host),
            (h11, "/", &[host, ("host", "evil.example")], Refusal::Host),
            (h11, "http://evil.example/", &[host], Refusal::Host),
            (h11, "/", &[host, ("origin", "null")], Refusal::WebPage),
            (
                h11,
                "/",
                &[host, ("origin", "http://127.0.0.1:4100")],
                Refusal::WebPage,
            ),
            (
                h11,
                "/",
                &[host, ("referer", "http://127.0.0.1:4100/")],
                Refusal::WebPage,
            ),
            (
                h11,
                "/",
                &[host, ("sec-fetch-site", "same-origin")],
                Refusal::WebPage,
            ),
            (
                h11,
                "/",
                &[host, ("Sec-Fetch-Dest", "image")],
                Refusal::WebPage,
            ),
            (
                h11,
                "/",
                &[host, ("sec-fetch-mode", "no-cors")],
                Refusal::WebPage,
            ),
            (
                h11,
                "/",
                &[host, ("sec-fetch-mode", "navigate")],
                Refusal::WebPage,
            ),
            (
                h11,
                "/",
                &[host, ("sec-fetch-user", "?1")],
                Refusal::WebPage,
            ),
        ] {
            let said = verdict(version, uri, headers, "127.0.0.1:4100");
            assert_eq!(said, Err(why), "{version:?} {uri} {headers:?}");
        }
    }
}
