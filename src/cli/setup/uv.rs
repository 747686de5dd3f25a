//! `jetond setup uv`: an index whose password comes from the companion under the name `keyring`.

use super::super::target::lines::quoted;
use super::pip::{FOLDER, index};
use super::recipe::{Format, Lines, Needs, Recipe, Refusal, Subject};

/// uv, by its keyring provider `subprocess`.
pub(super) static RECIPE: Recipe = Recipe {
    name: "uv",
    wants: "install packages with uv from a private index",
    needs: Needs::Address,
    lines,
    change: None,
};

fn lines(subject: &Subject<'_>) -> Result<Lines, Refusal> {
    let folder = quoted(&subject.in_home(FOLDER)?);
    let index = toml(&index(subject)?);
    Ok(Lines {
        format: Format::Hash,
        notes: vec![
            format!("uv starts the first keyring on PATH: mkdir -p {folder} && jetond install-helpers {folder} keyring; then put that folder first on PATH"),
            "these lines are for ~/.config/uv/uv.toml; in a pyproject.toml they stand below [tool.uv], with [[tool.uv.index]]".to_owned(),
            "with default = true the index takes the place of PyPI".to_owned(),
        ],
        text: format!(
            "keyring-provider = \"subprocess\"\n\n[[index]]\nname = \"jeton\"\nurl = {index}\n"
        ),
    })
}

/// A text as a basic string of TOML.
pub(super) fn toml(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}
