//! Coding agents at a gateway, with the companion as their helper command.
//!
//! The helper's runs and the credentials of the requests are recorded in `agents/*.json` and replayed. With
//! `JETON_AGENTS=1` the agents themselves run, in a separate network as `.ci/long` sets up, and must do what is
//! recorded. With `JETON_AGENTS=record` the record is written.

mod exchange;

use std::fs;
use std::process::Command;

use crate::bound::{JETON, bind, daemon, home_file, set_up};
use crate::servers::{Server, ca};
use crate::support::TestEnv;
use crate::support::env::Output;
use crate::tools::{MissingProgram, Test, agent, program};
use exchange::AgentRecord;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("claude_code", || replay_or_run("claude-code", claude_code)),
    ("codex", || replay_or_run("codex", codex)),
];

/// Prepares an agent that asks the model for one word, with this program as its helper.
type Agent = fn(&TestEnv, &Server, &str) -> Result<Command, MissingProgram>;

/// Replays an agent's record, or runs the agent.
fn replay_or_run(name: &str, command: Agent) -> Result<(), MissingProgram> {
    let env = set_up(3600);
    let mut server = Server::start(&env, "gateway.py", &[])?;
    bind(&env, &server.url("/"), "");
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    match std::env::var("JETON_AGENTS") {
        Err(_) => {
            let recorded = AgentRecord::recorded(name);
            // The record must match the lines that are printed now.
            let printed = setup(&env, name, &server.url("/mcp"), JETON);
            for words in recorded.arguments() {
                let forms = [" ", "\", \""].map(|between| words.join(between));
                let is_in =
                    |form: &String| printed.stdout.contains(form) || printed.stderr.contains(form);
                assert!(forms.iter().any(is_in), "{words:?}: {printed:?}");
            }
            recorded.replay(&env, &mut server);
        }
        Ok(how) => {
            assert!(
                has_no_network(),
                "the agents can reach a network: run .ci/long, or this test under 'unshare --net'"
            );
            let helper = exchange::helper(&env);
            let command = command(&env, &server, &helper)?;
            let output = env.finish(name, command, b"", false);
            let took = AgentRecord::from_run(&env, &mut server);
            assert_eq!(output.code, 0, "{took:?}: {output:?}");
            assert!(output.stdout.contains("jeton"), "{took:?}: {output:?}");
            if how == "record" {
                took.record(name);
            }
            assert_eq!(took, AgentRecord::recorded(name));
        }
    }
    env.stop(&mut daemon);
    Ok(())
}

/// Returns whether this process has no network other than loopback.
pub(crate) fn has_no_network() -> bool {
    let devices = fs::read_to_string("/proc/self/net/dev").unwrap();
    let names = devices
        .lines()
        .skip(2)
        .filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| name.trim()).eq(["lo"])
}

/// Runs `jetond setup` for an agent with this helper. Standard output has the lines, standard error the notes about
/// them.
fn setup(env: &TestEnv, name: &str, address: &str, helper: &str) -> Output {
    let printed = env.jetond(&["setup", name, address, "--jeton", helper]);
    assert_eq!(printed.code, 0, "{printed:?}");
    printed
}

/// Prepares Claude Code with the settings that `jetond setup` prints for a gateway, and with the command that it prints
/// for an MCP server.
fn claude_code(env: &TestEnv, server: &Server, helper: &str) -> Result<Command, MissingProgram> {
    let claude = agent("claude")?;
    let settings = setup(env, "claude-code", &server.url(""), helper).stdout;
    home_file(env, ".claude/settings.json", &settings);
    let notes = setup(env, "claude-code", &server.url("/mcp"), helper).stderr;
    let (_, add) = notes.split_once("run this instead: ").unwrap();
    let mut command = env.command("bash");
    let folder = claude.parent().unwrap().display();
    command.args(["-ec", &format!("PATH={folder}:$PATH\n{add}")]);
    let added = env.finish("claude mcp", alone(command), b"", false);
    assert_eq!(added.code, 0, "{added:?}");
    let mut command = env.command(claude);
    command
        .args(["-p", "say a word"])
        .env("NODE_EXTRA_CA_CERTS", ca(env));
    Ok(alone(command))
}

/// Claude Code without requests other than the intended ones.
fn alone(mut command: Command) -> Command {
    command
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_AUTOUPDATER", "1")
        .env("DISABLE_ERROR_REPORTING", "1")
        .env("DISABLE_TELEMETRY", "1");
    command
}

/// Prepares Codex: the settings that select the provider, and then the provider that `jetond setup` prints.
fn codex(env: &TestEnv, server: &Server, helper: &str) -> Result<Command, MissingProgram> {
    program("node")?;
    let lines = setup(env, "codex", &server.url("/v1"), helper).stdout;
    let config = format!(
        "model = \"stub\"\nmodel_provider = \"jeton\"\ncheck_for_update_on_startup = false\n\
         [analytics]\nenabled = false\n{lines}"
    );
    home_file(env, ".codex/config.toml", &config);
    let mut command = env.command(agent("codex")?);
    command
        .args(["exec", "--skip-git-repo-check", "say a word"])
        .env("SSL_CERT_FILE", ca(env));
    Ok(command)
}
