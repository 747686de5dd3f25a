//! `jetond setup openai`: the OpenAI SDK for Python, which calls for its key before each request.

use super::recipe::{Format, Lines, Needs, Recipe, Refusal, Subject};

/// openai-python, by `api_key=callable`.
pub(super) static RECIPE: Recipe = Recipe {
    name: "openai",
    wants: "call a model from Python with the OpenAI SDK",
    needs: Needs::Both,
    lines,
    change: None,
};

fn lines(subject: &Subject<'_>) -> Result<Lines, Refusal> {
    let (jeton, profile) = (python(subject.jeton_text()?), subject.profile()?);
    let address = python(&subject.address()?.to_string());
    Ok(Lines {
        format: Format::Hash,
        notes: vec![
            "with the package jeton-client, token() is: jeton.token(\"NAME\").access_token"
                .replace("NAME", profile.as_str()),
        ],
        text: format!(
            "import subprocess\n\nimport openai\n\n\ndef token():\n    command = [{jeton}, \"token\", \"{profile}\"]\n    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.strip()\n\n\nclient = openai.OpenAI(base_url={address}, api_key=token)\n"
        ),
    })
}

/// A text as a string of Python: JSON's escapes mean the same there.
fn python(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
