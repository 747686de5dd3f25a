//! HTTP connections: their lifetime, and requests of minimal clients.

use crate::support::TestEnv;
use crate::support::wire::{Wire, get};

#[test]
fn a_minimal_http_1_0_script_is_served() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let ask = "GET /v1/profiles/research/token HTTP/1.0\r\nAccept: text/plain\r\n\r\n";
    let wire = Wire::new(&env, &daemon.socket).asks_for_token();
    let response = wire.ask_last(ask);
    assert_eq!(response.status, 200);
    assert!(
        env.sandbox()
            .issued()
            .contains(&response.text().trim_end().to_owned())
    );
    // Also from a client that closes its sending side at once, as `nc -N` does.
    let mut wire = Wire::new(&env, &daemon.socket).asks_for_token();
    wire.send(ask).unwrap();
    wire.finish();
    assert_eq!(wire.answer().status, 200);
    assert_eq!(wire.rest(), b"");
    env.stop(&mut daemon);
}

#[test]
fn a_connection_serves_requests_until_the_client_asks_to_close_it() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let mut wire = Wire::new(&env, &daemon.socket);
    for _ in 0..5 {
        for (target, status) in [("/healthz", 200), ("/nothing", 404), ("/v1/profiles", 200)] {
            wire.send(get(target)).unwrap();
            assert_eq!(wire.answer().status, status);
        }
        wire.send("POST /v1/helper HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nnope")
            .unwrap();
        assert_eq!(wire.answer().code(), "bad_request");
    }
    let last = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(wire.ask_last(last).status, 200);
    env.stop(&mut daemon);
}

#[test]
fn the_document_of_the_interface_is_served_as_json() {
    let env = TestEnv::new();
    let mut daemon = env.start();
    let response = env.get(&daemon, "/v1/openapi.json");
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.json()["openapi"], "3.1.1");
    assert_eq!(response.body.last(), Some(&b'\n'));
    env.stop(&mut daemon);
}
