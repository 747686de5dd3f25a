//! SDKs of model providers at a gateway that accepts our tokens.

use crate::bound::{JETON, daemon, set_up};
use crate::servers::{Server, ca};
use crate::support::TestEnv;
use crate::tools::{MissingProgram, Test, python};

pub(crate) const TESTS: &[(&str, Test)] = &[(
    "openai_asks_for_a_token_before_each_request",
    openai_asks_for_a_token_before_each_request,
)];

/// Makes two requests with an SDK. Asserts that the gateway answers each one.
pub(crate) fn asks_twice(
    env: &TestEnv,
    sdk: &str,
    server: &Server,
    variables: &[(&str, &str)],
) -> Result<(), MissingProgram> {
    let mut command = env.command(python()?);
    command
        .args([
            "-B",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/models.py"),
            sdk,
        ])
        .arg(server.url(""))
        .env("JETON", JETON)
        .env("SSL_CERT_FILE", ca(env))
        .envs(variables.iter().copied());
    let output = env.finish(sdk, command, b"", false);
    assert_eq!(
        (output.code, &*output.stdout),
        (0, "[\"jeton\", \"jeton\"]\n"),
        "{output:?}"
    );
    Ok(())
}

/// `api_key` is a function.
fn openai_asks_for_a_token_before_each_request() -> Result<(), MissingProgram> {
    let env = set_up(600);
    let mut server = Server::start(&env, "gateway.py", &[])?;
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    asks_twice(&env, "openai", &server, &[])?;
    assert_eq!(server.seen(), ["POST /v1/chat/completions Bearer 1 200"; 2]);
    env.stop(&mut daemon);
    Ok(())
}
