//! `jetond setup git`.

use super::recipe::{Format, Lines, Needs, Recipe, Refusal, Subject};

/// git, by a credential helper for one address.
pub(super) static RECIPE: Recipe = Recipe {
    name: "git",
    wants: "clone, fetch and push with git",
    needs: Needs::Address,
    lines,
    change: None,
};

fn lines(subject: &Subject<'_>) -> Result<Lines, Refusal> {
    let (address, jeton) = (subject.address()?, subject.jeton_quoted());
    Ok(Lines {
        format: Format::Hash,
        notes: vec![],
        text: format!(
            "git config --global --add credential.{address}.helper ''\ngit config --global --add credential.{address}.helper '{jeton} git'\n"
        ),
    })
}
