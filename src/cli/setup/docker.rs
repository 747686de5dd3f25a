//! `jetond setup docker`: a credential helper for one registry.

use super::recipe::{Format, Lines, Needs, Recipe, Refusal, Subject};

/// docker, and other programs that read its configuration: buildah, podman, skopeo, crane, helm, ORAS.
pub(super) static RECIPE: Recipe = Recipe {
    name: "docker",
    wants: "pull and push images with docker, podman or skopeo",
    needs: Needs::Address,
    lines,
    change: None,
};

fn lines(subject: &Subject<'_>) -> Result<Lines, Refusal> {
    let address = subject.address()?;
    if !address.path().is_empty() {
        return Err(Refusal::usage(
            "docker sends its helper only the host: leave the path out of ADDRESS",
        ));
    }
    let helpers = serde_json::json!({ "credHelpers": { address.host(): "jeton" } });
    Ok(Lines {
        format: Format::Json,
        notes: vec![
            "docker starts docker-credential-jeton, which it looks for on PATH: jetond install-helpers DIR docker-credential-jeton".to_owned(),
            "merge this into ~/.docker/config.json (podman, skopeo and buildah: ~/.config/containers/auth.json)".to_owned(),
        ],
        text: pretty(&helpers),
    })
}

/// Indented JSON.
pub(super) fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}
