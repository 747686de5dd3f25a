//! `jetond setup huggingface`: a file with the token, which the hub's library reads again for each request.

use super::super::target::lines::{quoted, word};
use super::recipe::{Format, Lines, Needs, Recipe, Refusal, Subject};

/// huggingface_hub, transformers, datasets and vLLM, by `HF_TOKEN_PATH`.
pub(super) static RECIPE: Recipe = Recipe {
    name: "huggingface",
    wants: "get models and data sets from a hub",
    needs: Needs::Both,
    lines,
    change: None,
};

fn lines(subject: &Subject<'_>) -> Result<Lines, Refusal> {
    let address = word(&subject.address()?.to_string());
    let sink = subject.sink("huggingface/token")?;
    let file = quoted(&sink.file);
    Ok(Lines {
        format: Format::Hash,
        notes: sink.notes,
        // HF_TOKEN takes precedence over the file.
        text: format!(
            "unset HF_TOKEN HUGGING_FACE_HUB_TOKEN\nexport HF_ENDPOINT={address}\nexport HF_TOKEN_PATH={file}\n"
        ),
    })
}
