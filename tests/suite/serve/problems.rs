//! Refused requests: the status, the code and the form of a problem.

use super::members;
use crate::support::TestEnv;

#[test]
fn every_refusal_is_a_problem_with_its_code() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.enrol("ci");
    let mut daemon = env.start();
    let (tokens, admin) = (&daemon.socket, &daemon.admin);
    let long = format!("/v1/profiles/{}/token", "a".repeat(64));
    for (socket, method, target, status, code) in [
        (tokens, "GET", "/", 404, "not_found"),
        (tokens, "GET", "/v1", 404, "not_found"),
        (tokens, "GET", "/v1/profiles/research/", 404, "not_found"),
        (
            tokens,
            "GET",
            "/v1/profiles/research/secret",
            404,
            "not_found",
        ),
        (tokens, "GET", "/v1/../v1/profiles", 404, "not_found"),
        (tokens, "GET", "/v1/profiles/absent", 404, "unknown_profile"),
        (
            tokens,
            "GET",
            "/v1/profiles/absent/token",
            404,
            "unknown_profile",
        ),
        (
            tokens,
            "POST",
            "/v1/profiles/absent/refresh",
            404,
            "unknown_profile",
        ),
        (tokens, "GET", "/readyz/absent", 404, "unknown_profile"),
        (
            tokens,
            "GET",
            "/v1/profiles/RESEARCH/token",
            404,
            "unknown_profile",
        ),
        (
            tokens,
            "GET",
            "/v1/profiles/%72esearch/token",
            404,
            "unknown_profile",
        ),
        (tokens, "GET", &long, 404, "unknown_profile"),
        (
            tokens,
            "GET",
            "/v1/profiles/research/token?min_valid=x",
            400,
            "bad_request",
        ),
        (
            tokens,
            "GET",
            "/v1/profiles/research/token?max_wait=60.1",
            400,
            "bad_request",
        ),
        (
            tokens,
            "GET",
            "/v1/profiles/research/token?wait=1",
            400,
            "bad_request",
        ),
        (tokens, "POST", "/v1/helper", 400, "bad_request"),
        (tokens, "POST", "/v1/reload", 403, "forbidden"),
        (tokens, "GET", "/v1/reload", 403, "forbidden"),
        (admin, "GET", "/v1/profiles", 404, "not_found"),
        (
            admin,
            "GET",
            "/v1/profiles/research/token",
            404,
            "not_found",
        ),
        (
            admin,
            "POST",
            "/v1/profiles/research/refresh",
            404,
            "not_found",
        ),
        (admin, "POST", "/v1/helper", 400, "bad_request"),
    ] {
        let response = env.request(socket, method, target, &[], b"");
        assert_eq!(
            (response.status, response.code().as_str()),
            (status, code),
            "{method} {target}"
        );
        assert_eq!(response.header("cache-control"), Some("no-store"));
        assert_eq!(response.header("retry-after"), None, "{method} {target}");
        assert_eq!(response.header("allow"), None, "{method} {target}");
        let problem = response.json();
        let mut wanted = vec!["code", "detail", "status", "title"];
        if problem["profile"] == "absent" {
            wanted.insert(2, "profile");
        }
        assert_eq!(members(&problem), wanted, "{method} {target}");
        assert_eq!(problem["status"], status);
        assert!(!problem["title"].as_str().unwrap().is_empty());
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
    env.stop(&mut daemon);
}

#[test]
fn a_wrong_method_gets_405_with_the_allowed_method() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    for (method, target, allowed) in [
        ("POST", "/healthz", "GET"),
        ("PUT", "/readyz", "GET"),
        ("DELETE", "/v1/profiles", "GET"),
        ("PATCH", "/v1/profiles/research", "GET"),
        ("POST", "/v1/profiles/research/token", "GET"),
        ("GET", "/v1/profiles/research/refresh", "POST"),
        ("GET", "/v1/helper", "POST"),
        ("BREW", "/readyz/research", "GET"),
        // A profile may have the name of a verb.
        ("POST", "/v1/profiles/refresh", "GET"),
        ("POST", "/readyz/refresh", "GET"),
    ] {
        let response = env.request(&daemon.socket, method, target, &[], b"");
        assert_eq!(response.status, 405, "{method} {target}");
        assert_eq!(response.code(), "method_not_allowed");
        assert_eq!(response.header("allow"), Some(allowed), "{method} {target}");
        assert_eq!(response.header("cache-control"), Some("no-store"));
    }
    let response = env.request(&daemon.admin, "GET", "/v1/reload", &[], b"");
    assert_eq!(
        (response.status, response.header("allow")),
        (405, Some("POST"))
    );
    env.stop(&mut daemon);
}
