//! `jetond setup mlflow`: MLflow by the Python package, which gives it a token for each request.

use super::super::target::lines::word;
use super::recipe::{Format, Lines, Needs, Recipe, Refusal, Subject};

/// MLflow, by a plug-in of `mlflow.request_auth_provider`.
pub(super) static RECIPE: Recipe = Recipe {
    name: "mlflow",
    wants: "log a training run to an MLflow server",
    needs: Needs::Both,
    lines,
    change: None,
};

fn lines(subject: &Subject<'_>) -> Result<Lines, Refusal> {
    let profile = subject.profile()?;
    let address = word(&subject.address()?.to_string());
    Ok(Lines {
        format: Format::Hash,
        notes: vec![
            "MLflow finds its plug-in in the package jeton-client, which has to be where MLflow is: pip install ./clients/python in Jeton's source".to_owned(),
        ],
        text: format!(
            "unset MLFLOW_TRACKING_TOKEN MLFLOW_TRACKING_USERNAME MLFLOW_TRACKING_PASSWORD\nexport MLFLOW_TRACKING_URI={address}\nexport MLFLOW_TRACKING_AUTH=jeton\nexport JETON_PROFILE={profile}\n"
        ),
    })
}
