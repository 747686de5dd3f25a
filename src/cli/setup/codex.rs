//! `jetond setup codex`: a model provider of Codex whose token comes from a command.

use super::recipe::{Format, Lines, Needs, Recipe, Refusal, Subject};
use super::uv::toml;

/// Codex, by `auth.command`, which it runs every five minutes.
pub(super) static RECIPE: Recipe = Recipe {
    name: "codex",
    wants: "let Codex reach an LLM gateway",
    needs: Needs::Both,
    lines,
    change: None,
};

fn lines(subject: &Subject<'_>) -> Result<Lines, Refusal> {
    let (jeton, profile) = (toml(subject.jeton_text()?), subject.profile()?);
    let address = toml(&subject.address()?.to_string());
    Ok(Lines {
        format: Format::Hash,
        notes: vec![
            "these lines are for ~/.codex/config.toml; with model_provider = \"jeton\" above its first table Codex uses them, and codex -c 'model_provider=\"jeton\"' does so once".to_owned(),
        ],
        text: format!(
            "[model_providers.jeton]\nname = \"Jeton\"\nbase_url = {address}\nwire_api = \"responses\"\n\n[model_providers.jeton.auth]\ncommand = {jeton}\nargs = [\"token\", \"{profile}\", \"--for\", \"codex\"]\ntimeout_ms = 5000\nrefresh_interval_ms = 300000\n"
        ),
    })
}
