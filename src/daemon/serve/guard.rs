//! Checks of a request before its path is read.
//!
//! hyper accepts requests without `Host`, with two of them, and with any value. A web page can make a browser send
//! requests to any address that it can reach (CVE-2024-28224, CVE-2025-59956: DNS rebinding). So the daemon makes these
//! checks.

use hyper::header::{HOST, ORIGIN, REFERER, TRANSFER_ENCODING};
use hyper::{Request, Version};

use crate::problem::Problem;

/// Refuses requests that no local tool sends.
///
/// # Errors
/// `bad_request` with the reason.
pub(super) fn check<B>(request: &Request<B>) -> Result<(), Problem> {
    let mut hosts = 0;
    for (name, value) in request.headers() {
        if *name == HOST {
            hosts += 1;
            if value != "localhost" {
                return Err(Problem::bad_request("the Host header is not 'localhost'"));
            }
        } else if *name == ORIGIN || *name == REFERER || name.as_str().starts_with("sec-fetch-") {
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
        .is_some_and(|authority| authority != "localhost")
    {
        return Err(Problem::bad_request("the request is for another host"));
    }
    Ok(())
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
    fn only_what_a_local_tool_sends_is_let_through() {
        let host = ("host", "localhost");
        let (h10, h11) = (Version::HTTP_10, Version::HTTP_11);
        assert_eq!(verdict(h11, "/", &[host]), Ok(()));
        assert_eq!(verdict(h10, "/", &[]), Ok(()));
        assert_eq!(verdict(h10, "/", &[host]), Ok(()));
        assert_eq!(verdict(h11, "http://localhost/", &[host]), Ok(()));
        for (version, uri, headers) in [
            (h11, "/", &[][..]),
            (h11, "/", &[("host", "evil.example")]),
            (h11, "/", &[("host", "localhost:80")]),
            (h11, "/", &[("host", "")]),
            (h10, "/", &[("host", "evil.example")]),
            (h11, "/", &[host, host]),
            (h11, "/", &[host, ("host", "evil.example")]),
            (h11, "http://evil.example/", &[host]),
            (h11, "/", &[host, ("origin", "null")]),
            (h11, "/", &[host, ("referer", "http://localhost/")]),
            (h11, "/", &[host, ("sec-fetch-site", "same-origin")]),
            (h11, "/", &[host, ("Sec-Fetch-Mode", "cors")]),
            (h11, "/", &[host, ("transfer-encoding", "chunked")]),
            (h11, "/", &[host, ("transfer-encoding", "identity")]),
        ] {
            assert!(
                verdict(version, uri, headers).is_err(),
                "{version:?} {uri} {headers:?}"
            );
        }
    }
}
