//! `jetond setup prometheus`: a file with the token, which Prometheus reads again for each scrape.

use super::recipe::{Format, Lines, Needs, Recipe, Refusal, Subject};

/// Prometheus, and other programs with the same HTTP configuration: Alertmanager, exporters, the agent.
pub(super) static RECIPE: Recipe = Recipe {
    name: "prometheus",
    wants: "let Prometheus scrape targets that need a token",
    needs: Needs::Both,
    lines,
    change: None,
};

fn lines(subject: &Subject<'_>) -> Result<Lines, Refusal> {
    let address = subject.address()?;
    let sink = subject.sink("prometheus/token")?;
    let file = yaml(super::recipe::text_of(&sink.file)?);
    let text = address.to_string();
    let scheme = text.split(':').next().unwrap_or("https");
    let path = match address.path() {
        "" => "/metrics",
        path => path,
    };
    let mut notes = sink.notes;
    notes.push("Prometheus has to be able to read the file: it runs as the daemon's user, or its group is that of the file".to_owned());
    notes.push("these lines are for prometheus.yml; where that has scrape_configs already, its entry goes below those, without the first line".to_owned());
    Ok(Lines {
        format: Format::Hash,
        notes,
        text: format!(
            "scrape_configs:\n  - job_name: jeton\n    scheme: {scheme}\n    metrics_path: {}\n    authorization:\n      type: Bearer\n      credentials_file: {file}\n    static_configs:\n      - targets: [{}]\n",
            yaml(path),
            yaml(&address.host())
        ),
    })
}

/// A text as a double-quoted string of YAML, whose escapes include JSON's.
fn yaml(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
