//! Which requests are answered, and how the others are refused.

use super::*;

fn route(line: &str, door: Door) -> Result<Route, &'static str> {
    let (method, target) = line.split_once(' ').unwrap();
    let (path, query) = target
        .split_once('?')
        .map_or((target, None), |(p, q)| (p, Some(q)));
    Route::parse(&method.parse().unwrap(), path, query, door)
        .map_err(|problem| problem.code.row().name)
}

fn research() -> ProfileName {
    ProfileName::parse("research").unwrap()
}

#[test]
fn every_path_is_found_at_its_door() {
    let token = |min_valid, max_wait| Route::Token {
        profile: research(),
        min_valid,
        max_wait,
    };
    let ms = Duration::from_millis;
    for (line, want) in [
        ("GET /healthz", Route::Healthz),
        ("GET /readyz", Route::Readyz(None)),
        ("GET /readyz/research", Route::Readyz(Some(research()))),
        ("POST /v1/helper", Route::Helper),
        ("POST /oauth2/token", Route::Oauth2Token),
        ("GET /v1/openapi.json", Route::Openapi),
        ("GET /v1/profiles", Route::Profiles),
        ("GET /v1/profiles/research", Route::Profile(research())),
        (
            "POST /v1/profiles/research/refresh",
            Route::Refresh(research()),
        ),
        ("GET /v1/profiles/research/token", token(ms(0), ms(5_000))),
        ("GET /v1/profiles/research/token?", token(ms(0), ms(5_000))),
        (
            "GET /v1/profiles/research/token?max_wait=0&min_valid=1.5",
            token(ms(1_500), ms(0)),
        ),
    ] {
        assert_eq!(route(line, Door::Tokens), Ok(want), "{line}");
    }
    assert_eq!(route("POST /v1/reload", Door::Admin), Ok(Route::Reload));
    assert_eq!(route("POST /v1/helper", Door::Admin), Ok(Route::Helper));
}

#[test]
fn what_is_not_there_not_allowed_or_absurd_is_refused_with_its_code() {
    let long = format!("GET /v1/profiles/{}/token", "a".repeat(5_000));
    for (line, door, code) in [
        ("GET /", Door::Tokens, "not_found"),
        ("GET /v2/profiles", Door::Tokens, "not_found"),
        ("GET /v1/profiles/", Door::Tokens, "unknown_profile"),
        ("GET /v1/profiles/research/", Door::Tokens, "not_found"),
        (
            "GET /v1/profiles/research/token/",
            Door::Tokens,
            "not_found",
        ),
        ("GET //v1/profiles", Door::Tokens, "not_found"),
        ("GET /v1/profiles/../reload", Door::Tokens, "not_found"),
        ("GET /v1/profiles/..", Door::Tokens, "unknown_profile"),
        (
            "GET /v1/profiles/a%0ahost=evil/token",
            Door::Tokens,
            "unknown_profile",
        ),
        (
            "GET /v1/profiles/Research/token",
            Door::Tokens,
            "unknown_profile",
        ),
        (&long, Door::Tokens, "unknown_profile"),
        ("POST /v1/profiles", Door::Tokens, "method_not_allowed"),
        (
            "DELETE /v1/profiles/research",
            Door::Tokens,
            "method_not_allowed",
        ),
        ("HEAD /healthz", Door::Tokens, "method_not_allowed"),
        ("GET /v1/helper", Door::Tokens, "method_not_allowed"),
        ("POST /v1/reload", Door::Tokens, "forbidden"),
        ("GET /v1/reload", Door::Tokens, "forbidden"),
        ("GET /v1/reload", Door::Admin, "method_not_allowed"),
        ("GET /v1/profiles/research/token", Door::Admin, "not_found"),
        (
            "GET /v1/profiles/research/token?min_valid=",
            Door::Tokens,
            "bad_request",
        ),
        (
            "GET /v1/profiles/research/token?min_valid=-1",
            Door::Tokens,
            "bad_request",
        ),
        (
            "GET /v1/profiles/research/token?min_valid=86401",
            Door::Tokens,
            "bad_request",
        ),
        (
            "GET /v1/profiles/research/token?max_wait=61",
            Door::Tokens,
            "bad_request",
        ),
        (
            "GET /v1/profiles/research/token?max_wait=1e1",
            Door::Tokens,
            "bad_request",
        ),
        (
            "GET /v1/profiles/research/token?max_wait=NaN",
            Door::Tokens,
            "bad_request",
        ),
        (
            "GET /v1/profiles/research/token?max_wait=%31",
            Door::Tokens,
            "bad_request",
        ),
        (
            "GET /v1/profiles/research/token?max_wait=1&max_wait=2",
            Door::Tokens,
            "bad_request",
        ),
        (
            "GET /v1/profiles/research/token?min-valid=1",
            Door::Tokens,
            "bad_request",
        ),
        ("GET /v1/profiles?min_valid=1", Door::Tokens, "bad_request"),
        ("GET /oauth2/token", Door::Tokens, "method_not_allowed"),
        ("POST /oauth2/token/", Door::Tokens, "not_found"),
        (
            "POST /oauth2/token?client_id=ci",
            Door::Tokens,
            "bad_request",
        ),
        ("POST /oauth2/token", Door::Admin, "not_found"),
        ("GET /v1/openapi.json", Door::Admin, "not_found"),
    ] {
        assert_eq!(route(line, door), Err(code), "{line}");
    }
}

#[test]
fn the_allowed_method_is_the_one_that_the_path_takes() {
    for (path, method) in [
        ("/v1/helper", Method::POST),
        ("/v1/reload", Method::POST),
        ("/v1/profiles/research/refresh", Method::POST),
        ("/v1/profiles/research/token", Method::GET),
        ("/v1/profiles/refresh", Method::GET),
        ("/healthz", Method::GET),
    ] {
        assert_eq!(Route::allowed(path), method.as_str());
        let door = if path == "/v1/reload" {
            Door::Admin
        } else {
            Door::Tokens
        };
        assert!(Route::parse(&method, path, None, door).is_ok());
    }
}
