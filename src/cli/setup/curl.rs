//! `jetond setup curl`: the token on standard input, so that it is in no arguments.

use super::super::target::lines::word;
use super::recipe::{Format, Lines, Needs, Recipe, Refusal, Subject};

/// curl 7.55 and later, and other programs like wget, by the header.
pub(super) static RECIPE: Recipe = Recipe {
    name: "curl",
    wants: "call an API with curl, in a shell or a script",
    needs: Needs::Both,
    lines,
    change: None,
};

fn lines(subject: &Subject<'_>) -> Result<Lines, Refusal> {
    let (jeton, profile) = (subject.jeton_quoted(), subject.profile()?);
    let address = word(&subject.address()?.to_string());
    Ok(Lines {
        format: Format::Hash,
        notes: vec![],
        text: format!("{jeton} header {profile} | curl --fail-with-body -H @- {address}\n"),
    })
}
