//! Requests that are refused because of their head.

use super::assert_serves;
use crate::support::TestEnv;
use crate::support::wire::Wire;

#[test]
fn requests_of_web_pages_are_refused_at_every_path() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    for header in [
        ("Origin", "http://localhost"),
        ("origin", "null"),
        ("Referer", "http://localhost/"),
        ("Sec-Fetch-Site", "same-origin"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-mode", "no-cors"),
        ("SEC-FETCH-DEST", "document"),
        ("Sec-Fetch-User", "?1"),
    ] {
        for (method, target) in [
            ("GET", "/v1/profiles/research/token"),
            ("GET", "/healthz"),
            ("POST", "/v1/helper"),
            ("GET", "/nothing"),
        ] {
            let response = env.request(&daemon.socket, method, target, &[header], b"");
            assert_eq!(response.status, 400, "{header:?} {target}");
            assert_eq!(response.code(), "bad_request");
            assert_eq!(response.header("cache-control"), Some("no-store"));
        }
        let response = env.request(&daemon.admin, "POST", "/v1/reload", &[header], b"");
        assert_eq!(response.status, 400, "{header:?}");
    }
    env.stop(&mut daemon);
}

/// undici, the `fetch` of Node, sends its mode and no other header of this kind.
#[test]
fn requests_of_nodes_fetch_are_served() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    let of_undici = [
        ("accept", "*/*"),
        ("accept-language", "*"),
        ("sec-fetch-mode", "cors"),
        ("user-agent", "node"),
        ("accept-encoding", "gzip, deflate"),
    ];
    let target = "/v1/profiles/research/token";
    let response = env.request(&daemon.socket, "GET", target, &of_undici, b"");
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.json()["access_token"], token.as_str());
    let form = [
        &of_undici[..],
        &[("content-type", "application/x-www-form-urlencoded")],
    ]
    .concat();
    let body = b"grant_type=client_credentials&client_id=research";
    let response = env.request(&daemon.socket, "POST", "/oauth2/token", &form, body);
    assert_eq!(response.status, 200, "{response:?}");
    // A browser also sends which site makes the request.
    let of_a_page = [&of_undici[..], &[("sec-fetch-site", "same-origin")]].concat();
    let response = env.request(&daemon.socket, "GET", target, &of_a_page, b"");
    assert_eq!(response.status, 400, "{response:?}");
    env.stop(&mut daemon);
}

#[test]
fn only_one_known_host_header_is_accepted() {
    let env = TestEnv::new();
    let mut daemon = env.start();
    for (head, status) in [
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\n", 200),
        (
            "GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n",
            200,
        ),
        ("GET /healthz HTTP/1.0\r\n", 200),
        ("GET /healthz HTTP/1.0\r\nHost: localhost\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nHost: LocalHost\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nHost: localhost:80\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nHost: localhost:8080\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nHost: [::1]\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nHost: [::1]:8080\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nHost: unix\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nHost: jeton\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nHost:\r\n", 200),
        ("GET /healthz HTTP/1.0\r\nHost:\r\n", 200),
        (
            "GET http://localhost:8080/healthz HTTP/1.1\r\nHost: localhost:8080\r\n",
            200,
        ),
        ("GET /healthz HTTP/1.1\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: localhost.\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: jeton.example\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: localhost:x\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost:\r\nHost:\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: rebound.example\r\n", 400),
        ("GET /healthz HTTP/1.0\r\nHost: rebound.example\r\n", 400),
        (
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n",
            400,
        ),
        (
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: rebound.example\r\n",
            400,
        ),
        (
            "GET http://rebound.example/healthz HTTP/1.1\r\nHost: localhost\r\n",
            400,
        ),
        (
            "GET http://me@localhost/healthz HTTP/1.1\r\nHost: localhost\r\n",
            400,
        ),
    ] {
        let request = format!("{head}Connection: close\r\n\r\n");
        let response = Wire::new(&env, &daemon.socket).ask_last(request);
        assert_eq!(response.status, status, "{head}");
        if status == 400 {
            assert_eq!(response.code(), "bad_request", "{head}");
        }
    }
    env.stop(&mut daemon);
}

#[test]
fn a_body_without_a_valid_content_length_is_refused() {
    let env = TestEnv::new();
    let mut daemon = env.start();
    for headers in [
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: -1",
        "Content-Length: five",
        "Content-Length: 99999999999999999999",
    ] {
        let request =
            format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n0\r\n\r\n");
        let mut wire = Wire::new(&env, &daemon.socket);
        wire.send(request).unwrap();
        assert_eq!(wire.answer().status, 400, "{headers}");
    }
    assert_serves(&env, &daemon);
    env.stop(&mut daemon);
}

#[test]
fn a_body_over_its_cap_is_refused_as_soon_as_its_head_arrives() {
    let env = TestEnv::new();
    let mut daemon = env.start();
    for (socket, line, cap) in [
        (&daemon.socket, "POST /v1/helper", 262_144),
        (&daemon.admin, "POST /v1/helper", 262_144),
        (&daemon.socket, "GET /healthz", 16_384),
        (&daemon.socket, "POST /v1/profiles/research/refresh", 16_384),
        (&daemon.admin, "POST /v1/reload", 16_384),
    ] {
        let head = |length: usize| {
            format!("{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
        };
        for length in [cap + 1, usize::MAX >> 1] {
            // The test sends no body. If the daemon waited for one, the answer would be different.
            let response = Wire::new(&env, socket).ask_last(head(length));
            assert_eq!(response.status, 413, "{line} {length}");
            assert_eq!(response.code(), "payload_too_large");
            assert_eq!(response.header("cache-control"), Some("no-store"));
        }
        let mut wire = Wire::new(&env, socket);
        wire.send([head(cap).into_bytes(), vec![0; cap]].concat())
            .unwrap();
        assert_ne!(
            wire.answer().status,
            413,
            "{line}: the largest allowed size"
        );
    }
    env.stop(&mut daemon);
}

#[test]
fn heads_over_their_caps_are_refused() {
    let env = TestEnv::new();
    let mut daemon = env.start();
    let long = "a".repeat(64 * 1024);
    let many = "X: y\r\n".repeat(200);
    for (head, statuses) in [
        (
            format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n"),
            [431, 431],
        ),
        (
            format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"),
            [431, 431],
        ),
        (
            format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            [414, 431],
        ),
        (
            format!("{long} /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            [400, 431],
        ),
    ] {
        let response = Wire::new(&env, &daemon.socket).ask_last(&head);
        assert!(
            statuses.contains(&response.status),
            "{response:?} {}",
            &head[..40]
        );
    }
    assert_serves(&env, &daemon);
    env.stop(&mut daemon);
}

#[test]
fn input_that_is_not_http_gets_400_or_no_answer() {
    let env = TestEnv::new();
    let mut daemon = env.start();
    let every_byte: Vec<u8> = (0..=255).collect();
    let mut garbage: Vec<Vec<u8>> = vec![
        every_byte,
        vec![0; 1_000],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"GET /healthz\r\n\r\n".to_vec(),
        b"GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET  /healthz  HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /heal thz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n".to_vec(),
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n".to_vec(),
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n".to_vec(),
        b"\x01\x01\x05\x00\x00\x00jeton".to_vec(),
        b"{\"token\":true}\n".to_vec(),
    ];
    garbage.extend(
        (0..=255_u8)
            .filter(|byte| !byte.is_ascii_alphabetic())
            .map(|byte| vec![byte, b'\n']),
    );
    for bytes in garbage {
        let mut wire = Wire::new(&env, &daemon.socket);
        let _ = wire.send(&bytes);
        // Signals the end of the input, for heads that more bytes could still complete.
        wire.finish();
        let answer = String::from_utf8(wire.rest()).unwrap();
        let refused = answer.is_empty()
            || answer.starts_with("HTTP/1.1 4")
            || answer.starts_with("HTTP/1.0 4");
        assert!(refused, "{answer} to {bytes:?}");
    }
    assert_serves(&env, &daemon);
    env.stop(&mut daemon);
}
