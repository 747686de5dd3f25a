//! Checks of a request before its path is read.
//!
//! hyper accepts requests without `Host`, with two of them, and with any value. A web page can make a browser send
//! requests to any address that the browser can reach (DNS rebinding: CVE-2024-28224, CVE-2025-59956). The daemon makes
//! these checks to refuse such requests.

use hyper::header::{HOST, HeaderName, HeaderValue, ORIGIN, REFERER, TRANSFER_ENCODING};
use hyper::{Request, Version};

use crate::problem::Problem;

/// The host names that a request may state, in any case and with any port. A Unix socket has no host name, so clients
/// send various values: the host of the address that the user typed (`localhost`, `[::1]`, `jeton`), `unix`, or
/// nothing. DNS rebinding needs a name that the attacker controls, and these are not such names.
const NAMES: [&str; 5] = ["localhost", "[::1]", "unix", "jeton", ""];

/// The `Sec-Fetch-Mode` of the `fetch` function in Node (undici) and Deno, which send no other header of this kind. A
/// browser's request in this mode also has `Sec-Fetch-Site` and `Sec-Fetch-Dest` (Fetch Metadata, section 2).
const TOOLS_MODE: &[u8] = b"cors";

/// Refuses requests that no local tool sends.
///
/// # Errors
/// `bad_request` with the reason.
pub(super) fn check<B>(request: &Request<B>) -> Result<(), Problem> {
    let mut hosts = 0;
    for (name, value) in request.headers() {
        if *name == HOST {
            hosts += 1;
            if !is_ours(value.as_bytes()) {
                return Err(Problem::bad_request(
                    "the Host header is not one of localhost, [::1], unix and jeton",
                ));
            }
        } else if is_of_a_page(name, value) {
            return Err(Problem::bad_request("requests of web pages are refused"));
        } else if *name == TRANSFER_ENCODING {
            return Err(Problem::bad_request(
                "requests with a Transfer-Encoding are refused; send a Content-Length",
            ));
        }
    }
    match hosts {
        0 if request.version() == Version::HTTP_10 => {}
        0 => return Err(Problem::bad_request("the Host header is missing")),
        1 => {}
        _ => return Err(Problem::bad_request("there is more than one Host header")),
    }
    if request
        .uri()
        .authority()
        .is_some_and(|authority| !is_ours(authority.as_str().as_bytes()))
    {
        return Err(Problem::bad_request("the request is for another host"));
    }
    Ok(())
}

/// Whether browsers send this header for web pages.
fn is_of_a_page(name: &HeaderName, value: &HeaderValue) -> bool {
    *name == ORIGIN
        || *name == REFERER
        || name
            .as_str()
            .strip_prefix("sec-fetch-")
            .is_some_and(|what| {
                what != "mode" || !value.as_bytes().eq_ignore_ascii_case(TOOLS_MODE)
            })
}

/// Whether this is one of our host names, with or without a port (RFC 9110 section 7.2).
fn is_ours(host: &[u8]) -> bool {
    NAMES.iter().any(|name| {
        let port = host
            .split_at_checked(name.len())
            .filter(|(start, _)| start.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, port)| port);
        port.is_some_and(is_port)
    })
}

/// Whether this may follow a host name: nothing, or a colon and up to five digits (RFC 3986 section 3.2.3).
fn is_port(text: &[u8]) -> bool {
    match text.split_first() {
        None => true,
        Some((b':', digits)) => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(version: Version, uri: &str, headers: &[(&str, &str)]) -> Result<(), Problem> {
        let mut request = Request::builder().version(version).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap())
    }

    #[test]
    fn only_requests_of_local_tools_are_accepted() {
        let host = ("host", "localhost");
        let (h10, h11) = (Version::HTTP_10, Version::HTTP_11);
        for (version, uri, headers) in [
            (h11, "/", &[host][..]),
            (h10, "/", &[]),
            (h10, "/", &[host]),
            (h11, "http://localhost/", &[host]),
            (h11, "http://LOCALHOST:8080/", &[("host", "unix")]),
            // The `fetch` of Node and Deno.
            (h11, "/", &[host, ("Sec-Fetch-Mode", "cors")]),
            (h11, "/", &[host, ("sec-fetch-mode", "CORS")]),
        ] {
            let said = verdict(version, uri, headers);
            assert_eq!(said, Ok(()), "{version:?} {uri} {headers:?}");
        }
        for (version, uri, headers) in [
            (h11, "/", &[][..]),
            (h11, "/", &[host, host]),
            (h11, "/", &[host, ("host", "evil.example")]),
            (h11, "/", &[("host", ""), host]),
            (h11, "http://evil.example/", &[host]),
            (h11, "http://me@localhost/", &[host]),
            (h11, "/", &[host, ("origin", "null")]),
            (h11, "/", &[host, ("origin", "")]),
            (h11, "/", &[host, ("referer", "http://localhost/")]),
            (h11, "/", &[host, ("sec-fetch-site", "same-origin")]),
            (h11, "/", &[host, ("sec-fetch-site", "none")]),
            (h11, "/", &[host, ("sec-fetch-dest", "empty")]),
            (h11, "/", &[host, ("Sec-Fetch-Mode", "no-cors")]),
            (h11, "/", &[host, ("Sec-Fetch-Mode", "navigate")]),
            (h11, "/", &[host, ("Sec-Fetch-Mode", "websocket")]),
            (h11, "/", &[host, ("Sec-Fetch-Mode", "")]),
            (h11, "/", &[host, ("Sec-Fetch-Mode", "cors, navigate")]),
            (h11, "/", &[host, ("sec-fetch-user", "?1")]),
            (h11, "/", &[host, ("sec-fetch-storage-access", "none")]),
            (
                h11,
                "/",
                &[
                    host,
                    ("sec-fetch-mode", "cors"),
                    ("sec-fetch-mode", "navigate"),
                ],
            ),
            (
                h11,
                "/",
                &[
                    host,
                    ("sec-fetch-mode", "cors"),
                    ("sec-fetch-site", "cross-site"),
                ],
            ),
            (h11, "/", &[host, ("transfer-encoding", "chunked")]),
            (h11, "/", &[host, ("transfer-encoding", "identity")]),
        ] {
            assert!(
                verdict(version, uri, headers).is_err(),
                "{version:?} {uri} {headers:?}"
            );
        }
    }

    #[test]
    fn allowed_host_names_are_accepted_in_any_case_and_with_any_port() {
        for name in NAMES {
            for host in [
                name.to_owned(),
                name.to_uppercase(),
                format!("{name}:80"),
                format!("{name}:65535"),
                format!("{name}:"),
            ] {
                let host = [("host", host.as_str())];
                for version in [Version::HTTP_10, Version::HTTP_11] {
                    assert_eq!(verdict(version, "/", &host), Ok(()), "{host:?}");
                }
            }
        }
        for other in [
            "evil.example",
            "localhost.evil.example",
            "localhost.",
            "evil.localhost",
            "localhostx",
            "localhost:x",
            "localhost:80:80",
            "localhost:123456",
            "localhost:-1",
            "localhost, localhost",
            "me@localhost",
            "127.0.0.1",
            "::1",
            "[::1",
            "[::1]x",
            "[::2]",
            "unix.example",
            "jeton.example",
            "jeton/",
            "http://localhost",
        ] {
            for version in [Version::HTTP_10, Version::HTTP_11] {
                let said = verdict(version, "/", &[("host", other)]);
                assert!(said.is_err(), "{other}");
            }
        }
    }
}
