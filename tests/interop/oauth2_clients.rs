//! Generic OAuth 2.0 clients: they get tokens through the Unix socket, and report refusals in their own words.

use serde_json::{Value, json};

use crate::support::TestEnv;
use crate::tools::{MissingProgram, Test, program, python};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("oauthlib_gets_a_token", oauthlib_gets_a_token),
    (
        "authlib_with_httpx2_gets_a_token_by_the_lines_of_the_docs",
        authlib_with_httpx2_gets_a_token_by_the_lines_of_the_docs,
    ),
    (
        "authlib_with_httpx_gets_a_token_by_the_lines_of_the_docs",
        authlib_with_httpx_gets_a_token_by_the_lines_of_the_docs,
    ),
    (
        "the_fetch_of_node_gets_a_token",
        the_fetch_of_node_gets_a_token,
    ),
];

/// Runs a client that requests a token, then one for an unknown profile, then one with a scope that the profile does
/// not have.
fn run_and_report(library: &str, unknown: &Value, foreign: &Value) -> Result<(), MissingProgram> {
    let python = python()?;
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    let mut command = env.command(python);
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/interop/oauth2_clients.py"
        ))
        .arg(library)
        .arg(format!("{}/api/v1/clusters", env.sandbox().url()))
        .env("JETON_SOCKET", &daemon.socket);
    let output = env.finish(library, command, b"", false);
    assert_eq!(output.code, 0, "{output:?}");
    let saw: Value = serde_json::from_str(&output.stdout).unwrap();
    let wanted = json!({
        "token": {"length": token.len(), "type": "Bearer", "expires": true},
        "unknown profile": unknown,
        "foreign scope": foreign,
    });
    assert_eq!(saw, wanted, "{library}");
    // All of them got the held token.
    assert_eq!(env.token(&daemon, "research"), token);
    env.stop(&mut daemon);
    Ok(())
}

fn oauthlib_gets_a_token() -> Result<(), MissingProgram> {
    run_and_report(
        "oauthlib",
        &json!({"failed": "InvalidClientError", "error": "invalid_client"}),
        &json!({"failed": "InvalidScopeError", "error": "invalid_scope"}),
    )
}

fn authlib_with_httpx2_gets_a_token_by_the_lines_of_the_docs() -> Result<(), MissingProgram> {
    authlib("authlib-httpx2")
}

fn authlib_with_httpx_gets_a_token_by_the_lines_of_the_docs() -> Result<(), MissingProgram> {
    authlib("authlib-httpx")
}

fn authlib(library: &str) -> Result<(), MissingProgram> {
    run_and_report(
        library,
        &json!({"failed": "OAuthError", "error": "invalid_client"}),
        &json!({"failed": "OAuthError", "error": "invalid_scope"}),
    )
}

/// Node's own `fetch`, with an `Agent` of its built-in undici.
fn the_fetch_of_node_gets_a_token() -> Result<(), MissingProgram> {
    let node = program("node")?;
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    let mut command = env.command(node);
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/interop/node_fetch.mjs"
        ))
        .env("JETON_SOCKET", &daemon.socket);
    let output = env.finish("node", command, b"", false);
    assert_eq!(output.code, 0, "{output:?}");
    let saw: Value = serde_json::from_str(&output.stdout).unwrap();
    let wanted = json!([
        [
            "http://localhost/v1/profiles/research/token",
            200,
            token.len()
        ],
        [
            "http://LOCALHOST:8080/v1/profiles/research/token",
            200,
            token.len()
        ],
        ["http://[::1]/v1/profiles/research/token", 200, token.len()],
        ["http://jeton/v1/profiles/research/token", 200, token.len()],
        ["http://unix/oauth2/token", 200, token.len()],
        ["http://evil.example/v1/profiles/research/token", 400, 0],
    ]);
    assert_eq!(saw, wanted);
    env.stop(&mut daemon);
    Ok(())
}
