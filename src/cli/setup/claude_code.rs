//! `jetond setup claude-code`: the key for Claude Code's own gateway. Its MCP servers have a separate helper.

use super::super::target::lines::word;
use super::docker::pretty;
use super::recipe::{Format, Lines, Needs, Recipe, Refusal, Subject};

/// Claude Code, by `apiKeyHelper`, which it runs every five minutes and after a 401.
pub(super) static RECIPE: Recipe = Recipe {
    name: "claude-code",
    wants: "let Claude Code reach an LLM gateway or an MCP server",
    needs: Needs::Both,
    lines,
    change: None,
};

fn lines(subject: &Subject<'_>) -> Result<Lines, Refusal> {
    let (jeton, profile) = (subject.jeton_text()?, subject.profile()?);
    let address = subject.address()?.to_string();
    // Claude Code passes it to a shell.
    let helper = format!("{} token {profile} --for claude-code", word(jeton));
    let settings = serde_json::json!({
        "apiKeyHelper": helper,
        "env": { "ANTHROPIC_BASE_URL": address },
    });
    let server = serde_json::json!({
        "type": "http",
        "url": address,
        "headersHelper": format!("{} mcp-headers", word(jeton)),
    });
    Ok(Lines {
        format: Format::Json,
        notes: vec![
            "merge this into ~/.claude/settings.json, if the address is that of an LLM gateway"
                .to_owned(),
            // For a server of one project, Claude Code runs the helper only if that folder is trusted.
            format!(
                "if it is that of an MCP server, run this instead: claude mcp add-json --scope user jeton {}",
                word(&server.to_string())
            ),
        ],
        text: pretty(&settings),
    })
}
