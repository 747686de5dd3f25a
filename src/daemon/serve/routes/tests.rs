//! Which requests are accepted, and how the others are refused.

use super::*;

/// Describes the parsed request line in words.
fn route(line: &str, door: SocketKind) -> Result<String, &'static str> {
    let (method, target) = line.split_once(' ').unwrap();
    let (path, query) = target
        .split_once('?')
        .map_or((target, None), |(p, q)| (p, Some(q)));
    Route::parse(&method.parse().unwrap(), path, query, door)
        .map(|route| words(&route))
        .map_err(|problem| problem.code.row().name)
}

fn words(route: &Route) -> String {
    let named = |verb: &str, name: Option<&ProfileName>| {
        let name = name.map_or("", ProfileName::as_str);
        format!("{verb} {name}").trim_end().to_owned()
    };
    match route {
        Route::Ask(_, asked) => match &**asked {
            Question::Ready(query, _) => named("ready", query.profile.as_ref()),
            Question::Profile(name, _) => named("profile", Some(name)),
            Question::Profiles(name, _) => named("profiles", name.as_ref()),
            Question::Refresh(query, _) => named("refresh", query.profile.as_ref()),
            _ => panic!("not asked by a line alone"),
        },
        Route::Healthz => named("healthz", None),
        Route::Helper => named("helper", None),
        Route::Lock => named("lock", None),
        Route::Unlock => named("unlock", None),
        Route::Oauth2Token => named("oauth2 token", None),
        Route::Openapi => named("openapi", None),
        Route::Reject { profile, max_wait } => {
            format!("reject {profile} {}", max_wait.as_millis())
        }
        Route::Reload => named("reload", None),
        Route::Rotate(name) => named("rotate", Some(name)),
        Route::TokenIssued => named("token issued", None),
        Route::Version => named("version", None),
        Route::Token {
            profile,
            min_valid,
            max_wait,
        } => {
            let (min_valid, max_wait) = (min_valid.as_millis(), max_wait.as_millis());
            format!("token {profile} {min_valid} {max_wait}")
        }
        Route::Watch(name) => named("watch", Some(name)),
    }
}

#[test]
fn every_route_is_found_on_its_socket() {
    for (line, want) in [
        ("GET /healthz", "healthz"),
        ("GET /readyz", "ready"),
        ("GET /readyz/research", "ready research"),
        ("POST /v1/helper", "helper"),
        ("POST /oauth2/token", "oauth2 token"),
        ("GET /v1/openapi.json", "openapi"),
        ("GET /v1/profiles", "profiles"),
        ("GET /v1/version", "version"),
        ("GET /v1/profiles/research", "profile research"),
        ("POST /v1/profiles/research/refresh", "refresh research"),
        ("GET /v1/profiles/research/token", "token research 0 5000"),
        ("GET /v1/profiles/research/token?", "token research 0 5000"),
        (
            "GET /v1/profiles/research/token?max_wait=0&min_valid=1.5",
            "token research 1500 0",
        ),
        (
            "POST /v1/profiles/research/token/reject?max_wait=1",
            "reject research 1000",
        ),
        ("GET /v1/profiles/research/watch", "watch research"),
    ] {
        assert_eq!(
            route(line, SocketKind::Tokens).as_deref(),
            Ok(want),
            "{line}"
        );
    }
    for (line, want) in [
        ("POST /v1/lock", "lock"),
        ("POST /v1/reload", "reload"),
        ("POST /v1/unlock", "unlock"),
        ("POST /v1/profiles/research/rotate", "rotate research"),
        ("POST /v1/token-issued", "token issued"),
        ("POST /v1/helper", "helper"),
    ] {
        assert_eq!(
            route(line, SocketKind::Admin).as_deref(),
            Ok(want),
            "{line}"
        );
    }
}

#[test]
fn unknown_forbidden_and_invalid_requests_are_refused_with_their_codes() {
    let long = format!("GET /v1/profiles/{}/token", "a".repeat(5_000));
    for (line, door, code) in [
        ("GET /", SocketKind::Tokens, "not_found"),
        ("GET /v2/profiles", SocketKind::Tokens, "not_found"),
        ("GET /v1/profiles/", SocketKind::Tokens, "unknown_profile"),
        (
            "GET /v1/profiles/research/",
            SocketKind::Tokens,
            "not_found",
        ),
        (
            "GET /v1/profiles/research/token/",
            SocketKind::Tokens,
            "not_found",
        ),
        ("GET //v1/profiles", SocketKind::Tokens, "not_found"),
        (
            "GET /v1/profiles/../reload",
            SocketKind::Tokens,
            "not_found",
        ),
        ("GET /v1/profiles/..", SocketKind::Tokens, "unknown_profile"),
        (
            "GET /v1/profiles/a%0ahost=evil/token",
            SocketKind::Tokens,
            "unknown_profile",
        ),
        (
            "GET /v1/profiles/Research/token",
            SocketKind::Tokens,
            "unknown_profile",
        ),
        (&long, SocketKind::Tokens, "unknown_profile"),
        (
            "POST /v1/profiles",
            SocketKind::Tokens,
            "method_not_allowed",
        ),
        (
            "DELETE /v1/profiles/research",
            SocketKind::Tokens,
            "method_not_allowed",
        ),
        ("HEAD /healthz", SocketKind::Tokens, "method_not_allowed"),
        ("GET /v1/helper", SocketKind::Tokens, "method_not_allowed"),
        ("POST /v1/reload", SocketKind::Tokens, "forbidden"),
        ("POST /v1/lock", SocketKind::Tokens, "forbidden"),
        ("POST /v1/unlock", SocketKind::Tokens, "forbidden"),
        ("GET /v1/reload", SocketKind::Tokens, "forbidden"),
        ("POST /v1/token-issued", SocketKind::Tokens, "forbidden"),
        ("GET /v1/reload", SocketKind::Admin, "method_not_allowed"),
        (
            "GET /v1/profiles/research/token",
            SocketKind::Admin,
            "not_found",
        ),
        (
            "GET /v1/profiles/research/token?min_valid=",
            SocketKind::Tokens,
            "bad_request",
        ),
        (
            "GET /v1/profiles/research/token?min_valid=-1",
            SocketKind::Tokens,
            "bad_request",
        ),
        (
            "GET /v1/profiles/research/token?min_valid=86401",
            SocketKind::Tokens,
            "bad_request",
        ),
        (
            "GET /v1/profiles/research/token?max_wait=61",
            SocketKind::Tokens,
            "bad_request",
        ),
        (
            "GET /v1/profiles/research/token?max_wait=1e1",
            SocketKind::Tokens,
            "bad_request",
        ),
        (
            "GET /v1/profiles/research/token?max_wait=NaN",
            SocketKind::Tokens,
            "bad_request",
        ),
        (
            "GET /v1/profiles/research/token?max_wait=%31",
            SocketKind::Tokens,
            "bad_request",
        ),
        (
            "GET /v1/profiles/research/token?max_wait=1&max_wait=2",
            SocketKind::Tokens,
            "bad_request",
        ),
        (
            "GET /v1/profiles/research/token?min-valid=1",
            SocketKind::Tokens,
            "bad_request",
        ),
        (
            "GET /v1/profiles?min_valid=1",
            SocketKind::Tokens,
            "bad_request",
        ),
        (
            "GET /oauth2/token",
            SocketKind::Tokens,
            "method_not_allowed",
        ),
        ("POST /oauth2/token/", SocketKind::Tokens, "not_found"),
        (
            "POST /oauth2/token?client_id=ci",
            SocketKind::Tokens,
            "bad_request",
        ),
        ("POST /oauth2/token", SocketKind::Admin, "not_found"),
        ("GET /v1/openapi.json", SocketKind::Admin, "not_found"),
    ] {
        assert_eq!(route(line, door), Err(code), "{line}");
    }
}

#[test]
fn the_allow_header_matches_the_method_of_the_route() {
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
            SocketKind::Admin
        } else {
            SocketKind::Tokens
        };
        assert!(Route::parse(&method, path, None, door).is_ok());
    }
}
