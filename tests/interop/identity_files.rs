//! Programs that exchange an identity token from a file for a token of their server: W&B, OpenAI's library, and Codex.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::agents::has_no_network;
use crate::bound::{JETON, PROFILE, append, daemon, set_up};
use crate::servers::{Server, ca};
use crate::support::TestEnv;
use crate::support::daemon::wait_until;
use crate::tools::{MissingProgram, Test, agent, file_readers, python};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("wandb_exchanges_each_identity_token", wandb),
    ("openai_exchanges_each_identity_token", openai),
    ("codex_exchanges_an_identity_token", codex),
];

/// Adds a sink for identity tokens.
fn sink(env: &TestEnv) -> PathBuf {
    append(
        env,
        &format!("[[profiles.{PROFILE}.sinks]]\npath = \"identity/token\"\nformat = \"jwt\"\n"),
    );
    let file = env.path("run/jeton/identity/token");
    env.is_sink(&file);
    file
}

/// Runs a program of `file_readers.py` that exchanges the first token, and the next one after the first was rejected.
/// The server numbers tokens in the order in which it sees them: the first token, the one that it issued for it, and
/// the next.
fn exchanges(
    of: &str,
    script: &str,
    seen: &[&str],
    environment: impl FnOnce(&Server, &mut Command) -> Result<(), MissingProgram>,
) -> Result<(), MissingProgram> {
    let python = python()?;
    let env = set_up(600);
    let file = sink(&env);
    let mut server = Server::start(&env, script, &[])?;
    let (mut daemon, token) = daemon(&env);
    wait_until("the file", || file.exists());
    assert_eq!(server.take(&token), 1);
    server.take_any();
    let mut command = env.command(python);
    command
        .arg("-B")
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/interop/file_readers.py"
        ))
        .arg(of)
        .arg(&file)
        .env("JETON", JETON)
        .env("SSL_CERT_FILE", ca(&env))
        .env("WANDB_IDENTITY_TOKEN_FILE", &file)
        .env("OPENAI_IDENTITY_TOKEN_FILE", &file);
    environment(&server, &mut command)?;
    let output = env.finish(of, command, b"", true);
    assert_eq!(output.code, 0, "{:?}: {output:?}", server.seen());
    let read: [String; 2] = serde_json::from_str(output.stdout.lines().last().unwrap()).unwrap();
    let issued = env.sandbox().issued();
    assert_eq!(read, [token, issued.last().unwrap().clone()]);
    // Each request once, because it is up to the program how long it keeps a token.
    let mut saw: Vec<String> = vec![];
    for request in server.seen() {
        if !saw.contains(&request) {
            saw.push(request);
        }
    }
    assert_eq!(saw, seen);
    env.stop(&mut daemon);
    Ok(())
}

fn wandb() -> Result<(), MissingProgram> {
    let seen = [
        "assertion 1",
        "POST /oidc/token - 200",
        "POST /graphql Bearer 2 200",
        "assertion 3",
        "POST /graphql Bearer 4 200",
    ];
    exchanges("wandb", "tracker.py", &seen, |server, command| {
        command
            .env("PYTHONPATH", file_readers()?)
            .env("WANDB_BASE_URL", server.url(""))
            .env("WANDB_ERROR_REPORTING", "false")
            .env("WANDB_SILENT", "true");
        Ok(())
    })
}

/// The library uses fixed addresses, so it goes through a proxy.
fn openai() -> Result<(), MissingProgram> {
    let seen = [
        "CONNECT auth.openai.com:443",
        "assertion 1",
        "POST /oauth/token - 200",
        "CONNECT api.openai.com:443",
        "POST /v1/chat/completions Bearer 2 200",
        "assertion 3",
        "POST /v1/chat/completions Bearer 4 200",
    ];
    exchanges("openai", "openai.py", &seen, |server, command| {
        command.env("HTTPS_PROXY", format!("http://{}", server.host()));
        Ok(())
    })
}

/// `codex login status` shows whether the exchange succeeds. The program is run or replayed as the agents are.
fn codex() -> Result<(), MissingProgram> {
    let env = set_up(600);
    let file = sink(&env);
    let mut server = Server::start(&env, "openai.py", &[])?;
    let (mut daemon, token) = daemon(&env);
    wait_until("the file", || file.exists());
    server.take(&token);
    let proxy = format!("http://{}", server.host());
    let recorded = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/interop/agents/codex-identity.json"
    );
    let recorded: Value = serde_json::from_str(&fs::read_to_string(recorded).unwrap()).unwrap();
    if std::env::var_os("JETON_AGENTS").is_some() {
        assert!(has_no_network(), "Codex can reach a network: run .ci/long");
        fs::create_dir(env.path("home/.codex")).unwrap();
        let mut command = env.command(agent("codex")?);
        command
            .args(["login", "status"])
            .env("OPENAI_IDENTITY_TOKEN_FILE", &file)
            .env("OPENAI_FEDERATION_RULE_ID", "idpm_1")
            .env("SSL_CERT_FILE", ca(&env))
            .env("HTTPS_PROXY", proxy);
        let output = env.finish("codex", command, b"", false);
        assert_eq!(output.code, 0, "{output:?}");
        let says = "Logged in using workload identity";
        assert!(output.stderr.contains(says), "{output:?}");
    } else {
        let root = reqwest::Certificate::from_pem(&fs::read(ca(&env)).unwrap()).unwrap();
        let client = reqwest::Client::builder()
            .proxy(reqwest::Proxy::https(proxy).unwrap())
            .tls_certs_only([root])
            .build()
            .unwrap();
        let held = fs::read_to_string(&file).unwrap();
        let form = recorded["form"].as_str().unwrap().replace("FILE", &held);
        let request = client
            .post(recorded["address"].as_str().unwrap())
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form);
        let answer = env.block_on(request.send()).unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }
    assert_eq!(serde_json::json!(server.seen()), recorded["seen"]);
    env.stop(&mut daemon);
    Ok(())
}
