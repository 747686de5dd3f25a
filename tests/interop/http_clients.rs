//! Clients of any HTTPS API: they get their token from the companion or the socket, and no argument contains it.

use serde_json::{Value, json};

use crate::bound::{JETON, PROFILE, daemon, set_up};
use crate::servers::{Server, ca};
use crate::support::TestEnv;
use crate::support::env::Output;
use crate::tools::{MissingProgram, Test, program};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("curl_reads_the_header_from_a_pipe", || {
        curl("$JETON header research | curl -H @-")
    }),
    ("curl_reads_the_header_by_a_descriptor", || {
        curl("curl -H @<($JETON header research)")
    }),
    ("curl_reads_a_config_from_a_pipe", || {
        curl("$JETON header --curl-config research | curl --config -")
    }),
    ("node_fetch_sends_each_token", node_fetch_sends_each_token),
    ("rclone_runs_the_companion", rclone_runs_the_companion),
];

/// Runs a shell command with the address appended.
fn curl(line: &str) -> Result<(), MissingProgram> {
    program("curl")?;
    let env = set_up(600);
    let mut server = Server::start(&env, "api.py", &[])?;
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    let script = format!(
        "{line} -sS --fail --cacert \"$CA\" {}",
        server.url("/api/v1")
    );
    let output = shell(&env, &script);
    assert_eq!(
        (output.code, &*output.stdout),
        (0, "{\"path\": \"/api/v1\"}"),
        "{output:?}"
    );
    assert_eq!(server.seen(), ["GET /api/v1 Bearer 1 200"]);
    env.stop(&mut daemon);
    Ok(())
}

/// Runs a bash script in which `$JETON` is the companion and `$CA` the file of the CA.
fn shell(env: &TestEnv, script: &str) -> Output {
    let mut command = env.command("bash");
    command
        .args(["-c", script])
        .env("JETON", JETON)
        .env("CA", ca(env));
    env.finish("bash", command, b"", false)
}

/// Node's own `fetch` requests a token for each request. The next token is used as soon as it exists.
fn node_fetch_sends_each_token() -> Result<(), MissingProgram> {
    let node = program("node")?;
    let env = set_up(600);
    let mut server = Server::start(&env, "api.py", &[])?;
    let (mut daemon, token) = daemon(&env);
    server.take_any();
    server.refuse(&token);
    let mut command = env.command(node);
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/interop/node_api.mjs"
        ))
        .args([PROFILE, &server.url("/api/v1")])
        .env("JETON_SOCKET", &daemon.socket)
        .env("NODE_EXTRA_CA_CERTS", ca(&env));
    let output = env.finish("node", command, b"", false);
    assert_eq!(output.code, 0, "{output:?}");
    let said: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(said, json!([401, 200]), "{output:?}");
    let wanted = ["GET /api/v1 Bearer 1 401", "GET /api/v1 Bearer 2 200"];
    assert_eq!(server.seen(), wanted);
    env.stop(&mut daemon);
    Ok(())
}

/// Uses `bearer_token_command` with a WebDAV server.
fn rclone_runs_the_companion() -> Result<(), MissingProgram> {
    let rclone = program("rclone")?;
    let env = set_up(600);
    let mut server = Server::start(&env, "webdav.py", &[])?;
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    let mut command = env.command(rclone);
    command
        .args([
            "lsf",
            ":webdav:",
            "--retries",
            "1",
            "--webdav-url",
            &server.url("/"),
        ])
        .args([
            "--webdav-bearer-token-command",
            &format!("{JETON} token {PROFILE}"),
        ])
        .arg("--ca-cert")
        .arg(ca(&env));
    let output = env.finish("rclone", command, b"", false);
    assert_eq!(
        (output.code, &*output.stdout),
        (0, "made-here\n"),
        "{output:?}"
    );
    assert_eq!(server.seen(), ["PROPFIND / Bearer 1 207"]);
    env.stop(&mut daemon);
    Ok(())
}
