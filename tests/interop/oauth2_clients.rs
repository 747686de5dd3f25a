//! OAuth 2.0 clients that know nothing of us get tokens through the Unix socket, and say in their own words why not.

use serde_json::{Value, json};

use crate::support::TestEnv;
use crate::tools::{Missing, Test, python};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("oauthlib_gets_a_token", oauthlib_gets_a_token),
    ("authlib_gets_a_token", authlib_gets_a_token),
];

/// Has it ask for a token, then as a profile that is not there, then for a scope that the profile has not.
fn saw(library: &str, unknown: &Value, foreign: &Value) -> Result<(), Missing> {
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
    // All of them were served what was held.
    assert_eq!(env.token(&daemon, "research"), token);
    env.stop(&mut daemon);
    Ok(())
}

fn oauthlib_gets_a_token() -> Result<(), Missing> {
    saw(
        "oauthlib",
        &json!({"failed": "InvalidClientError", "error": "invalid_client"}),
        &json!({"failed": "InvalidScopeError", "error": "invalid_scope"}),
    )
}

fn authlib_gets_a_token() -> Result<(), Missing> {
    saw(
        "authlib",
        &json!({"failed": "OAuthError", "error": "invalid_client"}),
        &json!({"failed": "OAuthError", "error": "invalid_scope"}),
    )
}
