//! Coding agents at a gateway, with the companion as their helper command.
//!
//! Of what they do, the helper's runs and the requests' credentials are recorded in `agents/*.json`, and replayed. With
//! `JETON_AGENTS=1` the agents themselves run, as `.ci/long` lets them in a network of their own, and must do what is
//! recorded; with `JETON_AGENTS=record` that is written.

mod exchange;

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::bound::{PROFILE, bind, daemon, home_file, place};
use crate::servers::{Server, ca};
use crate::support::TestEnv;
use crate::tools::{Missing, Test, agent, program};
use exchange::Exchange;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("claude_code", || held("claude-code", claude_code)),
    ("codex", || held("codex", codex)),
];

/// Prepares an agent that asks for one word, with this program as its helper.
type Agent = fn(&TestEnv, &Server, &str) -> Result<Command, Missing>;

/// Replays what is recorded of an agent, or has the agent do it.
fn held(name: &str, command: Agent) -> Result<(), Missing> {
    let env = place(3600);
    let mut server = Server::start(&env, "gateway.py", &[])?;
    bind(&env, &server.url("/"), "");
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    match std::env::var("JETON_AGENTS") {
        Err(_) => Exchange::recorded(name).replay(&env, &mut server),
        Ok(how) => {
            assert!(
                is_apart(),
                "its agents reach a network: run .ci/long, or this below 'unshare --net'"
            );
            let helper = exchange::helper(&env);
            let command = command(&env, &server, &helper)?;
            let output = env.finish(name, command, b"", false);
            let took = Exchange::took_place(&env, &mut server);
            assert_eq!(output.code, 0, "{took:?}: {output:?}");
            assert!(output.stdout.contains("jeton"), "{took:?}: {output:?}");
            if how == "record" {
                took.record(name);
            }
            assert_eq!(took, Exchange::recorded(name));
        }
    }
    env.stop(&mut daemon);
    Ok(())
}

/// Whether this process has no network but the loopback.
pub(crate) fn is_apart() -> bool {
    let devices = fs::read_to_string("/proc/self/net/dev").unwrap();
    let names = devices
        .lines()
        .skip(2)
        .filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| name.trim()).eq(["lo"])
}

/// Its `apiKeyHelper`, and a `headersHelper` for a server of MCP.
fn claude_code(env: &TestEnv, server: &Server, helper: &str) -> Result<Command, Missing> {
    let settings = json!({"apiKeyHelper": format!("{helper} token {PROFILE}")});
    home_file(env, ".claude/settings.json", &settings.to_string());
    let mcp = json!({"mcpServers": {"here": {
        "type": "http",
        "url": server.url("/mcp"),
        "headersHelper": format!("{helper} mcp-headers {PROFILE}"),
    }}});
    let mcp = home_file(env, "mcp.json", &mcp.to_string());
    let mut command = env.command(agent("claude")?);
    command
        .args(["--strict-mcp-config", "--mcp-config"])
        .arg(mcp)
        .args(["-p", "say a word"])
        .env("ANTHROPIC_BASE_URL", server.url(""))
        .env("NODE_EXTRA_CA_CERTS", ca(env))
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_AUTOUPDATER", "1")
        .env("DISABLE_ERROR_REPORTING", "1")
        .env("DISABLE_TELEMETRY", "1");
    Ok(command)
}

/// The `auth.command` of a provider.
fn codex(env: &TestEnv, server: &Server, helper: &str) -> Result<Command, Missing> {
    program("node")?;
    let config = format!(
        "model = \"stub\"\nmodel_provider = \"here\"\ncheck_for_update_on_startup = false\n\
         [analytics]\nenabled = false\n\
         [model_providers.here]\nname = \"here\"\nwire_api = \"responses\"\nbase_url = \"{}\"\n\
         [model_providers.here.auth]\ncommand = \"{helper}\"\nargs = [\"token\", \"{PROFILE}\"]\n",
        server.url("/v1")
    );
    home_file(env, ".codex/config.toml", &config);
    let mut command = env.command(agent("codex")?);
    command
        .args(["exec", "--skip-git-repo-check", "say a word"])
        .env("SSL_CERT_FILE", ca(env));
    Ok(command)
}
